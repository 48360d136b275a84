"""What PyTorch says of wrong calls: the call, the shape of its input, PyTorch's words."""

from __future__ import annotations

Ints = tuple[int, ...]

PYTORCH: list[tuple[str, Ints, str]] = [
    # what every user meets
    ("nn.Conv2d(3, 16, 3, strid=2)", (1, 3, 8, 8), "got an unexpected keyword argument 'strid'"),
    ("F.max_pool2d(x, 2, strid=2)", (1, 3, 8, 8), "got an unexpected keyword argument 'strid'"),
    (
        "F.conv1d(x, w[3, 4, 3], strid=2)",
        (1, 3, 8),
        "received an invalid combination of arguments",
    ),
    ("nn.Conv2d(3, 16)", (1, 3, 8, 8), "missing 1 required positional argument: 'kernel_size'"),
    (
        "nn.Conv2d(3)",
        (1, 3, 8, 8),
        "missing 2 required positional arguments: 'out_channels' and 'kernel_size'",
    ),
    (
        "nn.GroupNorm()",
        (1, 3, 8),
        "missing 2 required positional arguments: 'num_groups' and 'num_channels'",
    ),
    ("nn.MaxPool2d()", (1, 3, 8, 8), "missing 1 required positional argument: 'kernel_size'"),
    ("nn.Conv2d(3, 16, 3, stride=0)", (1, 3, 8, 8), "non-positive stride is not supported"),
    (
        "nn.Conv2d(3, 16, 3, stride=2, padding='same')",
        (1, 3, 8, 8),
        "padding='same' is not supported for strided convolutions",
    ),
    (
        "F.conv2d(x, w[4, 3, 3, 3], padding='same', stride=2)",
        (1, 3, 8, 8),
        "padding='same' is not supported for strided convolutions",
    ),
    (
        "nn.ConvTranspose2d(3, 16, 3, stride=2, output_padding=2)",
        (1, 3, 8, 8),
        "output padding must be smaller than either stride or dilation",
    ),
    (
        "F.conv_transpose2d(x, w[3, 4, 3, 3], output_padding=1)",
        (1, 3, 8, 8),
        "output padding must be smaller than either stride or dilation",
    ),
    ("nn.Conv2d(3, 16, 3, groups=2)", (1, 3, 8, 8), "in_channels must be divisible by groups"),
    ("nn.Conv2d(3, 16, 3, groups=3)", (1, 3, 8, 8), "out_channels must be divisible by groups"),
    (
        "F.conv2d(x, w[5, 2, 3, 3], groups=2)",
        (1, 4, 8, 8),
        "expected weight to be divisible by 2 at dimension 0",
    ),
    (
        "F.conv_transpose2d(x, w[3, 4, 3, 3], groups=2)",
        (1, 3, 8, 8),
        "expected weight to be divisible by 2 at dimension 0",
    ),
    (
        "nn.Conv2d(3, 16, 7)",
        (1, 3, 5, 5),
        (
            "Calculated padded input size per channel: (5 x 5). Kernel size: (7 x 7). Kernel size can't "
            "be greater than actual input size"
        ),
    ),
    (
        "nn.Conv1d(3, 16, 4, dilation=3, padding=1)",
        (1, 3, 5),
        (
            "Calculated padded input size per channel: (7). Kernel size: (10). Kernel size can't be "
            "greater than actual input size"
        ),
    ),
    ("nn.MaxPool1d(7)", (1, 3, 5), "Invalid computed output size"),
    ("nn.MaxPool2d(7)", (1, 3, 5, 5), "Output size is too small"),
    ("nn.AvgPool1d(7)", (1, 3, 5), "Output size is too small"),
    ("nn.AvgPool3d(3, padding=1)", (1, 1, 5, 2, 4), "smaller than kernel size"),
    ("nn.LPPool2d(2, 7)", (1, 3, 5, 5), "Output size is too small"),
    ("nn.Unfold(9)", (1, 3, 8, 8), "its components must be at least one"),
    ("nn.ConvTranspose1d(2, 1, 4, padding=2)", (1, 2, 1), "Output size is too small"),
    ("nn.ConvTranspose2d(1, 1, 2, padding=2)", (1, 1, 1, 4), "Output size is too small"),
    ("F.conv2d(x, w[2])", (1, 3, 5, 5), "weight should have at least three dimensions"),
    ("F.conv1d(x, w[2, 2])", (1, 3, 5), "weight should have at least three dimensions"),
    ("F.conv_transpose3d(x, w[2])", (1, 3, 5, 5, 5), "weight should have at least three"),
    ("nn.ConvTranspose1d(1, 1, 2, padding=3)", (1, 1, 3), "Output size is too small"),
    # convolutions
    ("nn.Conv2d(3, 16, 3, dilation=0)", (1, 3, 8, 8), "dilation should be greater than zero"),
    ("nn.Conv3d(3, 16, 0)", (1, 3, 8, 8, 8), "kernel size should be greater than zero"),
    ("F.conv_transpose1d(x, w[3, 4, 0])", (1, 3, 8), "kernel size should be greater than zero"),
    ("nn.Conv2d(3, 16, 3, groups=0)", (1, 3, 8, 8), "groups must be a positive integer"),
    ("F.conv2d(x, w[4, 3, 3, 3], groups=0)", (1, 3, 8, 8), "non-positive groups is not supported"),
    ("nn.Conv2d(3, 16, 3, padding=-1)", (1, 3, 8, 8), "negative padding is not supported"),
    ("nn.Conv2d(3, 16, 3, padding='full')", (1, 3, 8, 8), "Invalid padding string"),
    ("F.conv2d(x, w[4, 3, 3, 3], padding='full')", (1, 3, 8, 8), "Invalid padding string"),
    ("nn.ConvTranspose2d(3, 16, 3, dilation=0)", (1, 3, 8, 8), "dilation should be greater than"),
    (
        "nn.ConvTranspose2d(3, 16, 3, output_padding=-1)",
        (1, 3, 8, 8),
        "negative output_padding is not supported",
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3, stride=2)(x, output_size=(20,))",
        (1, 2, 4),
        "valid sizes range from [9] to [10]",
    ),
    (
        "nn.ConvTranspose2d(2, 4, 3, stride=2)(x, output_size=(10, 20))",
        (1, 2, 4, 6),
        "valid sizes range from [9, 13] to [10, 14]",
    ),
    ("nn.ConvTranspose1d(2, 4, 3, padding='same')", (1, 2, 4), "must be tuple of ints"),
    ("F.conv_transpose1d(x, w[2, 4, 3], padding='same')", (1, 2, 4), "must be tuple of ints"),
    (
        "nn.ConvTranspose1d(2, 4, 3, padding_mode='reflect')",
        (1, 2, 4),
        'Only "zeros" padding mode is supported for ConvTranspose1d',
    ),
    # pooling
    ("nn.MaxPool2d(2, stride=0)", (1, 3, 5, 5), "stride should not be zero"),
    ("nn.MaxPool1d(2, stride=0)", (1, 3, 5), "stride must be greater than zero"),
    ("nn.AvgPool1d(2, stride=0)", (1, 3, 5), "stride should not be zero"),
    ("nn.MaxPool2d(2, dilation=0)", (1, 3, 5, 5), "dilation should be greater than zero"),
    ("nn.MaxPool1d(2, dilation=0)", (1, 3, 5), "dilation must be greater than zero"),
    ("nn.AvgPool2d(3, padding=-1)", (1, 3, 8, 8), "pad must be non-negative"),
    ("nn.MaxPool1d(3, padding=-1)", (1, 3, 8), "padding must be non-negative"),
    (
        "nn.MaxPool2d(3, padding=2)",
        (1, 3, 8, 8),
        "pad should be at most half of effective kernel size",
    ),
    (
        "nn.MaxPool2d(3, padding=(0, 2), dilation=(2, 1))",
        (1, 3, 8, 8),
        "pad should be at most half of effective kernel size",
    ),
    (
        "nn.AvgPool3d(3, padding=2)",
        (1, 3, 8, 8, 8),
        "pad should be at most half of effective kernel size",
    ),
    (
        "nn.MaxPool2d(3, padding=2, dilation=2)",
        (1, 3, 8, 8),
        "pad should be smaller than or equal to half of kernel size",
    ),
    ("nn.MaxPool1d(3, padding=2)", (1, 3, 8), "padding should be at most half of kernel size"),
    ("nn.AvgPool2d(2, divisor_override=0)", (1, 3, 8, 8), "divisor must be not zero"),
    (
        "nn.FractionalMaxPool2d(2)",
        (1, 1, 7, 7),
        "requires specifying either an output size, or a pooling ratio",
    ),
    (
        "nn.FractionalMaxPool2d(2, output_size=3, output_ratio=0.5)",
        (1, 1, 7, 7),
        "only one of output_size and output_ratio may be specified",
    ),
    ("nn.FractionalMaxPool2d(4, output_size=6)", (1, 1, 7, 7), "too large relative to input"),
    (
        "nn.MaxUnpool2d(2)(x, indices[1, 1, 2, 2], output_size=(4, 7))",
        (1, 1, 2, 2),
        "dim 1 must be between 2 and 6",
    ),
    # columns, shuffles, resizing, padding
    (
        "nn.Fold((4, 5), 2)",
        (1, 8, 11),
        "expected size of input's dimension 2 to match the calculated number of sliding blocks",
    ),
    (
        "nn.Fold((4, 5), 2)",
        (1, 7, 12),
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size",
    ),
    ("nn.Unfold((3,))", (1, 3, 8, 8), "It is expected kernel_size equals to 2, but got size 1"),
    ("nn.Unfold(0)", (1, 3, 8, 8), "kernel size should be greater than zero"),
    ("nn.Unfold(3, stride=0)", (1, 3, 8, 8), "stride should be greater than zero"),
    ("nn.Unfold(3, dilation=0)", (1, 3, 8, 8), "dilation should be greater than zero"),
    ("nn.Unfold(3, padding=-1)", (1, 3, 8, 8), "padding should be non-negative"),
    (
        "nn.PixelShuffle(2)",
        (1, 6, 4, 4),
        "expects its input's 'channel' dimension to be divisible by the square of upscale_factor",
    ),
    ("nn.PixelShuffle(0)", (1, 6, 4, 4), "expects a positive upscale_factor"),
    ("nn.PixelUnshuffle(2)", (1, 6, 4, 5), "expects width to be divisible by downscale_factor"),
    ("nn.PixelUnshuffle(2)", (1, 6, 5, 4), "expects height to be divisible by downscale_factor"),
    ("nn.ChannelShuffle(4)", (1, 6, 5, 4), "Number of channels must be divisible by groups"),
    (
        "nn.ChannelShuffle(0)",
        (1, 6, 5, 4),
        "Number of groups to divide channels in must be positive",
    ),
    (
        "F.interpolate(x, size=4, scale_factor=2)",
        (1, 6, 4, 5),
        "only one of size or scale_factor should be defined",
    ),
    ("nn.Upsample()", (1, 6, 4, 5), "either size or scale_factor should be defined"),
    (
        "F.interpolate(x, size=4, align_corners=True)",
        (1, 6, 4, 5),
        (
            "align_corners option can only be set with the interpolating modes: linear | bilinear | "
            "bicubic | trilinear"
        ),
    ),
    (
        "F.interpolate(x, scale_factor=0.1)",
        (1, 6, 4, 5),
        "Input and output sizes should be greater than 0",
    ),
    (
        "F.interpolate(x, scale_factor=-1)",
        (1, 6, 4, 5),
        "Input and output sizes should be greater than 0",
    ),
    (
        "F.interpolate(x, size=4, recompute_scale_factor=True)",
        (1, 6, 4, 5),
        "recompute_scale_factor is not meaningful with an explicit size",
    ),
    ("F.interpolate(x, 4, mode='lanczos')", (1, 6, 4, 5), "Lanczos mode requires antialias=True"),
    (
        "F.interpolate(x, size=4, mode='nearest', antialias=True)",
        (1, 6, 4, 5),
        "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes",
    ),
    ("F.pad(x, (1, 2, 3))", (1, 6, 4, 5), "Padding length must be divisible by 2"),
    (
        "F.pad(x, (1, 2), 'reflect', 3)",
        (1, 6, 4),
        'Padding mode "reflect" doesn\'t take in value argument',
    ),
    (
        "nn.ReflectionPad2d((1, 1))",
        (1, 3, 7, 7),
        "Padding size 2 is not supported for 4D input tensor",
    ),
    (
        "nn.ReflectionPad1d((1, 1, 1, 1))",
        (3, 7),
        "Padding size 4 is not supported for 2D input tensor",
    ),
    (
        "nn.GroupNorm(3, 8)",
        (2, 8, 4, 4),
        "num_channels (8) must be divisible by num_groups (3)",
    ),
]
