"""What the frameworks say of wrong calls: the call, the shape of its input, the framework's words."""

from __future__ import annotations

from tests.pytorch_words import PYTORCH, Ints

W = "w[3, 3, 3, 4]"
TENSORFLOW: list[tuple[str, Ints, str]] = [
    (
        f"tf.nn.conv2d(x, {W}, stride=2, padding='SAME')",
        (1, 8, 8, 3),
        "Got an unexpected keyword argument 'stride'",
    ),
    (f"tf.nn.conv2d(x, {W}, strides=2)", (1, 8, 8, 3), "Missing required positional argument"),
    ("tf.nn.max_pool2d(x, strides=2, padding='SAME')", (1, 8, 8, 3), "Missing required positional"),
    (f"tf.nn.conv2d(x, {W}, strides=0, padding='SAME')", (1, 8, 8, 3), "Stride must be > 0"),
    (f"tf.nn.convolution(x, {W}, 0, 'SAME')", (1, 8, 8, 3), "Stride must be > 0"),
    ("tf.nn.max_pool2d(x, 2, 0, 'VALID')", (1, 5, 5, 3), "Stride must be > 0"),
    (
        "tf.nn.pool(x, [2], 'MAX', strides=[0], padding='VALID')",
        (1, 5, 3),
        "all values of `strides` must be positive",
    ),
    (
        f"tf.nn.conv2d(x, {W}, 1, 'SAME', dilations=0)",
        (1, 8, 8, 3),
        "Dilated rates should be larger than 0",
    ),
    (
        f"tf.nn.convolution(x, {W}, 1, 'SAME', dilations=0)",
        (1, 8, 8, 3),
        "`dilation_rate` must be positive",
    ),
    (f"tf.nn.atrous_conv2d(x, {W}, 0, 'SAME')", (1, 8, 8, 3), "`dilation_rate` must be positive"),
    (
        f"tf.nn.depthwise_conv2d(x, {W}, [1, 1, 1, 1], 'SAME', dilations=[0, 0])",
        (1, 8, 8, 3),
        "`dilation_rate` must be positive",
    ),
    (
        "tf.nn.pool(x, [2], 'MAX', dilations=[0], padding='VALID')",
        (1, 5, 3),
        "`dilation_rate` must be positive",
    ),
    ("tf.nn.max_pool2d(x, 0, 1, 'VALID')", (1, 5, 5, 3), "Sliding window ksize must be positive"),
    ("tf.nn.avg_pool2d(x, 0, 1, 'VALID')", (1, 5, 5, 3), "ksize must be a positive int32 value"),
    (
        "tf.nn.conv2d(x, w[7, 7, 3, 4], 1, 'VALID')",
        (1, 5, 5, 3),
        "Negative dimension size caused by subtracting 7 from 5",
    ),
    (
        "tf.nn.conv2d(x, w[7, 7, 3, 4], 1, [[0, 0], [0, 1], [0, 1], [0, 0]])",
        (1, 5, 5, 3),
        "Negative dimension size caused by subtracting 7 from 6",
    ),
    (
        f"tf.nn.conv2d(x, {W}, 1, 'VALID', dilations=4)",
        (1, 8, 8, 3),
        "Negative dimension size caused by subtracting 9 from 8",
    ),
    (
        "tf.nn.avg_pool2d(x, 6, 1, 'VALID')",
        (1, 5, 5, 3),
        "Negative dimension size caused by subtracting 6 from 5",
    ),
    (
        "tf.nn.avg_pool2d(x, 8, 1, 'VALID')",
        (1, 5, 5, 3),
        "Negative dimension size caused by subtracting 8 from 5",
    ),
    (
        "tf.nn.avg_pool2d(x, 13, 3, 'VALID')",
        (1, 5, 5, 3),
        "Negative dimension size caused by subtracting 13 from 5",
    ),
    (
        "tf.nn.max_pool1d(x, 6, 1, 'VALID')",
        (1, 5, 3),
        "Negative dimension size caused by subtracting 6 from 5",
    ),
    (f"tf.nn.conv2d(x, {W}, 1, 'same')", (1, 8, 8, 3), "not in the list of allowed values"),
    ("tf.nn.avg_pool(x, 2, 2, 'same')", (1, 8, 8, 3), "not in the list of allowed values"),
    (
        f"tf.nn.conv2d(x, {W}, 1, [[0, 0], [1, -1], [0, 0], [0, 0]])",
        (1, 8, 8, 3),
        "All elements of explicit_paddings must be nonnegative",
    ),
    (
        f"tf.nn.conv2d(x, {W}, 1, [[0, 0], [1, 1], [0, 0], [0, 1]])",
        (1, 8, 8, 3),
        "Nonzero explicit padding in the batch or depth dimensions is not supported",
    ),
    (
        f"tf.nn.conv2d(x, {W}, 1, 'SAME')",
        (1, 5, 5, 4),
        "input depth must be evenly divisible by filter depth",
    ),
    (
        "tf.nn.conv2d(x, w[3, 3, 2, 5], 1, 'SAME')",
        (1, 5, 5, 4),
        "output depth must be evenly divisible by number of groups",
    ),
    (
        f"tf.nn.convolution(x, {W}, 2, 'SAME', dilations=2)",
        (1, 8, 8, 3),
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`",
    ),
    (
        f"tf.nn.depthwise_conv2d(x, {W}, [1, 1, 2, 1], 'SAME')",
        (1, 5, 5, 3),
        "Current implementation only supports equal length strides in the row and column dimensions",
    ),
    (
        "tf.nn.max_pool2d(x, 2, 2, [[0, 0], [2, 2], [0, 0], [0, 0]])",
        (1, 5, 5, 3),
        "padding 2 needs to be smaller than the window size 2",
    ),
    (
        "tf.nn.pool(x, [2], 'MAX', padding='SAME', dilations=[2])",
        (1, 5, 3),
        "pooling with 'SAME' padding is not implemented for `dilation_rate` > 1",
    ),
    (
        "tf.nn.pool(x, [2], 'MAX', strides=[2], padding='VALID', dilations=[2])",
        (1, 5, 3),
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`",
    ),
    (
        "tf.nn.pool(x, [2], 'MAX', strides=[3], padding='VALID')",
        (1, 5, 3),
        "`strides` > `window_shape` not supported due to inconsistency between CPU and GPU",
    ),
    (
        "tf.nn.conv2d_transpose(x, w[3, 3, 2, 5], [1, 7, 6, 2], 2, 'SAME')",
        (1, 3, 3, 5),
        "Size of out_backprop doesn't match computed",
    ),
    ("tf.nn.depth_to_space(x, 1)", (1, 3, 3, 4), "must be at least minimum 2"),
    (
        "tf.nn.depth_to_space(x, 2)",
        (1, 3, 3, 5),
        "Input depth dimension 5 should be divisible by: 4",
    ),
    (
        "tf.nn.space_to_depth(x, 2)",
        (1, 4, 5, 1),
        "Image width 5 and height 4 should be divisible by block_size: 2",
    ),
    (
        "tf.pad(x, [[0, 0], [4, 1], [0, 0], [0, 0]], 'REFLECT')",
        (1, 4, 5, 1),
        "paddings must be less than the dimension size",
    ),
    (
        "tf.pad(x, [[0, 0], [5, 1], [0, 0], [0, 0]], 'SYMMETRIC')",
        (1, 4, 5, 1),
        "paddings must be no greater than the dimension size",
    ),
    (
        "tf.pad(x, [[0, 0], [-1, 1], [0, 0], [0, 0]])",
        (1, 4, 5, 1),
        "Paddings must be non-negative",
    ),
    (
        "tf.image.resize(x, 3)",
        (1, 4, 5, 1),
        "'size' must be a 1-D Tensor of 2 elements: new_height, new_width",
    ),
    ("tf.image.resize(x, [0, 3])", (1, 4, 5, 1), "output dimensions must be positive"),
]
KERAS: list[tuple[str, Ints, str]] = [
    (
        "keras.layers.Conv2D(16, 3, stride=2)",
        (1, 8, 8, 3),
        "Unrecognized keyword arguments passed to Conv2D",
    ),
    (
        "keras.ops.conv(x, w[3, 3, 3, 4], stride=2)",
        (1, 8, 8, 3),
        "got an unexpected keyword argument 'stride'",
    ),
    (
        "keras.layers.Conv2D(16)",
        (1, 8, 8, 3),
        "missing 1 required positional argument: 'kernel_size'",
    ),
    ("keras.layers.Conv2D(16, 3, strides=0)", (1, 8, 8, 3), "do not satisfy `value > 0`"),
    ("keras.layers.Conv2D(16, 0)", (1, 8, 8, 3), "do not satisfy `value > 0`"),
    ("keras.layers.UpSampling2D(0)", (1, 5, 5, 3), "do not satisfy `value > 0`"),
    ("keras.layers.MaxPooling2D(2, strides=0)", (1, 5, 5, 3), "Stride must be > 0"),
    ("keras.layers.Conv2D(0, 3)", (1, 8, 8, 3), "Expected a strictly positive value"),
    ("keras.layers.DepthwiseConv2D(3, depth_multiplier=0)", (1, 8, 8, 3), "Expected a strictly"),
    (
        "keras.layers.Conv2D(4, 3, groups=0)",
        (1, 8, 8, 3),
        "The number of groups must be a positive integer",
    ),
    ("keras.layers.Dense(0)", (1, 3), "expected a positive integer"),
    (
        "keras.layers.Conv2D(5, 3, groups=2)",
        (1, 8, 8, 4),
        "The number of filters must be evenly divisible by the number of groups",
    ),
    (
        "keras.layers.Conv2D(4, 3, groups=2)",
        (1, 8, 8, 3),
        "The number of input channels must be evenly divisible by the number of groups",
    ),
    (
        "keras.layers.Conv2D(16, 3, strides=2, dilation_rate=2)",
        (1, 8, 8, 3),
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`",
    ),
    (
        "keras.layers.Conv2D(5, 7)",
        (1, 5, 5, 3),
        "Computed output size would be zero or negative",
    ),
    (
        "keras.layers.Conv1D(5, 3, dilation_rate=4)",
        (1, 5, 3),
        "Computed output size would be zero or negative",
    ),
    (
        "keras.layers.MaxPooling2D(7)",
        (1, 5, 5, 3),
        "Computed output size would be zero or negative",
    ),
    (
        "keras.layers.AveragePooling1D(7)",
        (1, 5, 3),
        "Computed output size would be zero or negative",
    ),
    (
        "keras.layers.SeparableConv2D(5, 7)",
        (1, 5, 5, 3),
        "Computed output size would be zero or negative",
    ),
    (
        "keras.layers.Conv2DTranspose(8, 3, strides=2, output_padding=2)",
        (1, 5, 5, 3),
        "`output_padding` must be strictly less than `strides`",
    ),
    (
        "keras.layers.Conv2DTranspose(8, 3, strides=2, output_padding=-1)",
        (1, 5, 5, 3),
        "do not satisfy `value >= 0`",
    ),
    (
        "keras.layers.Conv1DTranspose(1, 2, strides=2, padding='same', output_padding=0)",
        (1, 3, 1),
        "Size of out_backprop doesn't match computed",
    ),
    ("keras.layers.ZeroPadding2D(-1)", (1, 4, 5, 1), "Paddings must be non-negative"),
    ("keras.layers.Cropping1D((1, 2))", (1, 3, 1), "be smaller than the input length"),
    (
        "keras.layers.Cropping2D(2)",
        (1, 4, 5, 1),
        "be smaller than the corresponding spatial dimension of the input",
    ),
]
V = "w[4, 3, 3, 3]"
JAX: list[tuple[str, Ints, str]] = [
    (
        f"lax.conv(x, {V}, (1, 1), 'SAME', stride=2)",
        (1, 3, 8, 8),
        "got an unexpected keyword argument 'stride'",
    ),
    (
        f"lax.conv(x, {V}, (1, 1))",
        (1, 3, 8, 8),
        "missing 1 required positional argument: 'padding'",
    ),
    (
        "lax.reduce_window(x, 0., lax.add)",
        (8, 8),
        "missing 1 required positional argument: 'window_dimensions'",
    ),
    (
        f"lax.conv(x, {V}, (2, 0), 'SAME')",
        (1, 3, 8, 8),
        "expects window to have positive stride",
    ),
    (
        "lax.conv_transpose(x, w[3, 3, 4, 5], (0, 2), 'SAME')",
        (1, 8, 8, 4),
        "All dilations must be positive",
    ),
    (
        f"lax.conv_general_dilated(x, {V}, (1, 1), 'VALID', rhs_dilation=(0, 1))",
        (1, 3, 8, 8),
        "All dilations must be positive",
    ),
    (
        f"lax.conv_general_dilated(x, {V}, (1, 1), ((0, 0), (0, 0)), lhs_dilation=(0, 1))",
        (1, 3, 8, 8),
        "All dilations must be positive",
    ),
    (
        "lax.conv_general_dilated(x, w[4, 2, 3, 3], (1, 1), 'VALID', feature_group_count=0)",
        (1, 3, 8, 8),
        "feature_group_count must be a positive integer",
    ),
    (
        "lax.conv(x, w[4, 2, 3, 3], (1, 1), 'SAME')",
        (1, 3, 8, 8),
        (
            "lhs feature dimension size divided by feature_group_count must equal the rhs input feature "
            "dimension size"
        ),
    ),
    (
        "lax.conv_general_dilated(x, w[4, 2, 3, 3], (1, 1), 'VALID', feature_group_count=2)",
        (1, 3, 8, 8),
        "feature_group_count must divide lhs feature dimension size",
    ),
    (
        "lax.conv_general_dilated(x, w[3, 2, 3, 3], (1, 1), 'VALID', feature_group_count=2)",
        (1, 4, 8, 8),
        "rhs output feature dimension size must be a multiple of feature_group_count",
    ),
    (
        f"lax.conv(x, {V}, (1, 1), 'FULL')",
        (1, 3, 8, 8),
        "Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER'",
    ),
    (
        f"lax.conv_general_dilated(x, {V}, (1, 1), 'SAME', lhs_dilation=(2, 1))",
        (1, 3, 8, 8),
        "String padding is not implemented for transposed convolution using this op",
    ),
    (
        "lax.conv_transpose(x, w[3, 3, 4, 5], (2, 2), 'SAME_LOWER')",
        (1, 8, 8, 4),
        "String padding is not implemented for transposed convolution",
    ),
    (
        "lax.conv_transpose(x, w[3, 3, 4, 5], (2, 2), 'same', use_consistent_padding=True)",
        (1, 8, 8, 4),
        "Invalid padding mode",
    ),
    (
        "lax.conv_transpose(x, w[3, 3, 4, 5], (2, 2), 'SAME', output_padding=1)",
        (1, 8, 8, 4),
        "got an unexpected keyword argument 'output_padding'",
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (2, 2), padding='SAME')",
        (8, 8),
        "operands could not be broadcast together",
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (2, 2), (0, 1))",
        (8, 8),
        "must have every element be strictly positive",
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (0, 2))",
        (8, 8),
        "must have every element be strictly positive",
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (2, 2), window_dilation=(0, 1))",
        (8, 8),
        "All dilations must be positive",
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (2, 2), base_dilation=(0, 1))",
        (8, 8),
        "All dilations must be positive",
    ),
    (
        "lax.pad(x, 0., ((1, 1, -1),))",
        (8,),
        "interior padding in padding_config must be nonnegative",
    ),
    ("jnp.pad(x, -1)", (8, 8), "index can't contain negative values"),
]
NUMPY: list[tuple[str, Ints, str]] = [
    ("np.pad(x, -1)", (8, 8), "index can't contain negative values"),
]
SCIPY: list[tuple[str, Ints, str]] = [
    (
        "signal.convolve(x, b[5, 3], 'valid')",
        (4, 6),
        "For 'valid' mode, one must be at least as large as the other in every dimension",
    ),
]
ONNX: list[tuple[str, Ints, str]] = [
    (
        "onnx.Conv(X, W[4, 3, 3, 3], stride=[2, 2])",
        (1, 3, 8, 8),
        "Unrecognized attribute: stride for operator Conv",
    ),
    ("onnx.MaxPool(X)", (1, 3, 5, 5), "Required attribute 'kernel_shape' is missing"),
    (
        "onnx.MaxUnpool(X, I[1, 1, 2, 2])",
        (1, 1, 2, 2),
        "Required attribute 'kernel_shape' is missing",
    ),
    ("onnx.DepthToSpace(X)", (1, 4, 5, 5), "Required attribute 'blocksize' is missing"),
    (
        "onnx.Conv(X, W[4, 3, 3, 3], strides=[0, 1])",
        (1, 3, 8, 8),
        "Attribute strides must only contain positive values",
    ),
    (
        "onnx.MaxPool(X, kernel_shape=[0, 2])",
        (1, 3, 8, 8),
        "Attribute kernel_shape must only contain positive values",
    ),
    (
        "onnx.MaxPool(X, kernel_shape=[2, 2], dilations=[0, 1])",
        (1, 3, 8, 8),
        "Attribute dilations must only contain positive values",
    ),
    (
        "onnx.Conv(X, W[4, 3, 3, 3], pads=[-1, 0, 0, 0])",
        (1, 3, 8, 8),
        "must not contain negative values",
    ),
    (
        "onnx.ConvTranspose(X, W[4, 3, 3, 3], output_padding=[-1, 0])",
        (1, 4, 5, 5),
        "Attribute output_padding must not contain negative values",
    ),
    (
        "onnx.Conv(X, W[4, 3, 3, 3], auto_pad='FULL')",
        (1, 3, 8, 8),
        "Unknown AutoPadType String",
    ),
    (
        "onnx.ConvTranspose(X, W[3, 4, 3, 3], auto_pad='SAME_UPPER', pads=[1, 1, 1, 1])",
        (1, 3, 8, 8),
        "cannot be used simultaneously with auto_pad",
    ),
    (
        "onnx.Conv(X, W[4, 2, 3, 3])",
        (1, 3, 8, 8),
        "Input channels C is not equal to kernel channels * group",
    ),
    (
        "onnx.Conv(X, W[3, 2, 3, 3], group=2)",
        (1, 4, 8, 8),
        "Output channels M is not divisible by group",
    ),
    (
        "onnx.ConvTranspose(X, W[3, 3, 3, 3])",
        (1, 4, 5, 5),
        "filter number not equal to input channel number",
    ),
    (
        "onnx.ConvTranspose(X, W[3, 2, 3, 3], group=2)",
        (1, 3, 5, 5),
        "Input channels is not divisible by group",
    ),
    (
        "onnx.ConvTranspose(X, W[4, 3, 3, 3], strides=[2, 2], output_padding=[2, 2])",
        (1, 4, 5, 5),
        "must be less than max(stride, dilation)",
    ),
    (
        "onnx.ConvTranspose(X, W[4, 3, 3, 3], dilations=[3, 3], output_padding=[2, 2])",
        (1, 4, 5, 5),
        "Computed output shape is inconsistent with input spatial dimensions",
    ),
    (
        "onnx.ConvTranspose(X, W[2, 2, 3], strides=[2], output_shape=[13])",
        (1, 2, 5),
        "Explicit output_shape is inconsistent with input spatial dimensions",
    ),
    (
        "onnx.ConvTranspose(X, W[2, 2, 3], pads=[5, 5])",
        (1, 2, 5),
        "Computed output dimension is <= 0",
    ),
    ("onnx.Conv(X, W[3, 4, 7, 7])", (1, 4, 5, 5), "Invalid input shape"),
    (
        "onnx.AveragePool(X, kernel_shape=[7, 7])",
        (1, 3, 5, 5),
        "Calculated output dimension is negative",
    ),
    ("onnx.MaxPool(X, kernel_shape=[2], pads=[2, 0])", (1, 3, 5), "pads[dim] < kernel_shape[dim]"),
    ("onnx.Pad(X, pads=[1, 0], mode='reflect')", (1,), "Pad reflect requires axis length >= 2"),
    (
        "onnx.Pad(X, pads=[0, 3], mode='reflect')",
        (3,),
        "post-pad (3) exceeds maximum allowed (2)",
    ),
    (
        "onnx.Resize(X)",
        (3, 3),
        "Either `sizes` or `scales` must be provided, but not both of them",
    ),
    ("onnx.Resize(X, scales=[0, 1])", (3, 3), "Scale value should be greater than 0"),
    (
        "onnx.Upsample(X, scales=[1, 0.5])",
        (3, 4),
        "Scale value should be greater than or equal to 1",
    ),
    ("onnx.DepthToSpace(X, blocksize=0)", (1, 3, 5, 5), "Blocksize must be positive"),
]
TABLE = {
    "PyTorch": PYTORCH,
    "TensorFlow": TENSORFLOW,
    "Keras": KERAS,
    "JAX": JAX,
    "NumPy": NUMPY,
    "SciPy": SCIPY,
    "ONNX": ONNX,
}
