"""What every family can make, how many parameters it has for that, and what it refuses."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import InputError
from gan_jax.models.families import FAMILIES
from gan_jax.models.sizes import doublings

LATENT = 60  # as many parts as a hierarchical latent is cut into divide it
CLASSES = 5


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


def made(family, shape, num_classes=None, latent=LATENT, generator=(), discriminator=()):
    """Parameters of generator and discriminator, and the shapes of what they return."""
    networks = FAMILIES[family]
    generator = networks.generator(image_shape=shape, num_classes=num_classes, **dict(generator))
    discriminator = networks.discriminator(num_classes=num_classes, **dict(discriminator))
    labels = None if num_classes is None else jnp.zeros(2, jnp.int32)

    def run(key):
        images, variables = generator.init_with_output(
            key, jnp.zeros((2, latent)), labels, train=False
        )
        outputs, others = discriminator.init_with_output(key, images, labels, train=False)
        return images, outputs, variables["params"], others["params"]

    images, outputs, *params = jax.eval_shape(run, jax.random.key(0))
    return *map(count, params), images, outputs


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize(("channels", "num_classes"), [(1, None), (3, None), (1, 5), (3, 5)])
def test_every_family_makes_every_size(family, size, channels, num_classes):
    shape = (size, size, channels)
    *_, images, outputs = made(family, shape, num_classes)
    assert (images.shape, images.dtype) == ((2, *shape), jnp.float32)
    assert (outputs.logits.shape, outputs.logits.dtype) == ((2,), jnp.float32)
    assert outputs.features.shape[0] == 2
    assert (outputs.pixel_logits is not None) == (family == "unet")
    if family == "unet":
        assert outputs.pixel_logits.shape == (2, size, size)
        assert outputs.pixel_logits.dtype == jnp.float32


PROJECTION = {"conditioning": "projection"}
SHARED = {"width": 96, "attention": 64}
DEEP = {"attention": 64}
IMAGENET = {"widths": (1536,) * 5, "group_size": 32}

BIGGAN = None  # has rows of its own
UNUSED = 65  # parameters of a layer of the authors' code

# Trainable parameters of generator and discriminator as published, or as code that is published
# with the paper has them, for (size, classes, latent). Heads here always have a bias, which the
# discriminators of DCGAN and of SNGAN at 32 x 32 have not: one more.
PUBLISHED = {
    "dcgan, pytorch/examples": ("dcgan", 64, None, 100, {}, {}, 3_576_704, 2_765_568 + 1),
    "sngan, CIFAR-10": ("sngan", 32, None, 128, {}, {}, 4_276_739, 1_053_824 + 1),
    "sngan, CIFAR-10, classes": ("sngan", 32, 10, 128, {}, PROJECTION, 4_304_387, 1_055_104 + 1),
    "sngan, STL-10": ("sngan", 48, None, 128, {}, {}, 4_878_083, 10_141_441),
    "sngan, 64": ("sngan", 64, None, 128, {}, {}, 12_220_675, 10_141_441),
    "sngan, 128": ("sngan", 128, None, 128, {}, {}, 32_150_787, 29_017_857),
    "sngan, 256": ("sngan", 256, None, 128, {}, {}, 37_135_107, 34_000_129),
    "wgan_gp, CIFAR-10": (
        *("sngan", 32, None, 128, {"width": 32}, {"spectral": False}),
        *(1_204_483, 1_053_825),
    ),
    "sagan, CIFAR-10": (
        *("sagan", 32, 10, 128, {"attention": 16}, {"attention": 8} | PROJECTION),
        *(4_386_308, 1_075_586),
    ),
    "sagan, ImageNet": ("sagan", 128, 1000, 128, {}, PROJECTION, 42_078_852, 39_463_618),
    "biggan, ImageNet 128": (
        *("biggan", 128, 1000, 120, SHARED, SHARED | PROJECTION),
        *(70_433_988, 87_982_370),
    ),
    "biggan, ImageNet 256": (
        *("biggan", 256, 1000, 140, SHARED, SHARED | PROJECTION),
        *(82_235_844, 99_225_890),
    ),
    "biggan, CIFAR-10": (
        *("biggan", 32, 10, 128, {"hierarchical": False, "shared_embedding": 0}, PROJECTION),
        *(4_304_387, 4_207_361),
    ),
    "biggan_deep, ImageNet 128": (
        *("biggan_deep", 128, 1000, 128, DEEP, DEEP | PROJECTION),
        *(50_244_484, 34_590_210),
    ),
    "biggan_deep, ImageNet 256": (
        *("biggan_deep", 256, 1000, 128, DEEP, DEEP | PROJECTION),
        *(55_736_708, 38_247_426),
    ),
    "unet, CelebA 128": ("unet", 128, None, 120, {}, {}, BIGGAN, 31_481_667 - UNUSED),
    "unet, FFHQ 256": ("unet", 256, None, 140, {}, {}, BIGGAN, 44_067_651 - UNUSED),
    "unet, COCO-Animals 128": (
        *("unet", 128, 10, 120, {}, PROJECTION),
        *(BIGGAN, 31_492_547 - UNUSED),
    ),
    "r3gan, Stacked MNIST": ("r3gan", 32, None, 64, {}, {}, 20_732_160, 20_683_776),
    "r3gan, CIFAR-10": ("r3gan", 32, 10, 64, {}, PROJECTION, 20_781_952, 21_280_512),
    "r3gan, FFHQ 64": ("r3gan", 64, None, 64, {}, {}, 22_429_824, 22_381_440),
    "r3gan, FFHQ 256": ("r3gan", 256, None, 64, {}, {}, 23_057_952, 23_009_568),
    "r3gan, ImageNet 64": (
        *("r3gan", 64, 1000, 64, IMAGENET, IMAGENET | PROJECTION),
        *(103_570_432, 107_205_120),
    ),
    "stylegan2, FFHQ 256": (
        *("stylegan2", 256, None, 512, {"channel_base": 16384}, {"channel_base": 16384}),
        *(24_767_458, 24_001_089),
    ),
    "stylegan2, FFHQ 1024": ("stylegan2", 1024, None, 512, {}, {}, 30_370_060, 29_012_513),
    "stylegan2, CIFAR-10": (
        *("stylegan2", 32, None, 512, {"mapping_layers": 2}, {"residual": False}),
        *(19_947_539, 20_720_641),
    ),
    "stylegan2, CIFAR-10, classes": (
        *("stylegan2", 32, 10, 512, {"mapping_layers": 2}, {"residual": False} | PROJECTION),
        *(20_215_315, 23_089_664),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_as_many_as_published(name):
    family, size, num_classes, latent, generator, discriminator, *expected = PUBLISHED[name]
    found = made(family, (size, size, 3), num_classes, latent, generator, discriminator)
    for ours, published in zip(found[:2], expected, strict=True):
        assert published in (ours, BIGGAN)


@pytest.mark.parametrize(
    ("size", "expected"), [(8, (4, 1)), (14, (7, 1)), (28, (7, 2)), (32, (4, 3)), (96, (6, 4))]
)
def test_sizes_are_doubled_from_four_to_seven_pixels(size, expected):
    assert doublings((size, size)) == expected


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((36, 36), "to 32 or 40"),
        ((7, 7), "to 8"),
        ((100, 100), "to 96 or 112"),
        ((28, 32), "need square ones"),
    ],
)
def test_other_sizes_are_refused_with_the_nearest(shape, words):
    with pytest.raises(InputError, match=words):
        doublings(shape)


@pytest.mark.parametrize(
    ("family", "fields", "words"),
    [
        ("dcgan", {"norm": "bach"}, "norm is 'bach'"),
        ("sngan", {"initialization": "none"}, "initialization is 'none'; there are glorot"),
        ("biggan", {"num_classes": 3, "shared_embedding": 0}, "set shared_embedding"),
        ("sngan", {"norm": "layer", "num_classes": 3}, "norm is 'layer', .* set norm to batch"),
        ("biggan", {"norm": "none"}, "norm is 'none', .* set norm to batch"),
        ("r3gan", {"width": 20}, "blocks of 40 channels"),
    ],
)
def test_fields_that_cannot_be_are_refused(family, fields, words):
    fields = dict(fields)
    num_classes = fields.pop("num_classes", None)
    with pytest.raises(InputError, match=words):
        made(family, (32, 32, 3), num_classes, generator=fields)


def test_a_latent_that_cannot_be_cut_is_refused():
    with pytest.raises(InputError, match=r"config.latent_dim to a multiple of 4"):
        made("biggan", (32, 32, 3), latent=50)
