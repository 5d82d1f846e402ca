"""Every key there is, with the value it has unless an experiment says otherwise.

Any key is a flag too: `python launch.py --config=configs/mnist_mlp.py --config.batch_size=64`.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """Returns the default config: two small MLPs, relativistic pairing loss, R1 and R2."""
    config = ConfigDict()

    # Names every draw of the run: initial weights, noise, the order of the data.
    config.seed = 0

    # ---- data ----
    config.data = ConfigDict()
    # mnist_5k | idx:FOLDER | folder:FOLDER | toy:ring8 | toy:grid25 | toy:swissroll
    # | stacked:NAME, three of NAME as channels | any TFDS name, such as cifar10 or mnist:3.0.1.
    config.data.name = "mnist_5k"
    # Height and width; images are resized and cropped to it. 0: as the data has it.
    config.data.image_size = 0
    # 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha. 0: as the data has it.
    config.data.channels = 0
    # none: examples as often as the data has them. uniform: every class equally often.
    config.data.balance = "none"
    # range: networks see [-1, 1]. standardize: mean 0 and deviation 1 a channel, for networks whose
    # generator ends linearly.
    config.data.normalize = "range"
    # Random changes of the reals, which fakes will show as well; 0 is off. What comes in from
    # outside is the image mirrored but for `shift`, which leaves black.
    config.data.augment = ConfigDict()
    config.data.augment.flip = 0.0  # probability of mirroring left to right
    config.data.augment.scale = 0.0  # 0.2: up to 20 % larger, or smaller by that factor
    config.data.augment.rotate = 0.0  # by up to so many degrees
    config.data.augment.crop = 0  # moved by up to so many pixels
    config.data.augment.shift = 0  # likewise
    config.data.augment.noise = 0.0  # standard deviation of normal noise, of pixels in [-1, 1]
    # device: the whole set lies in device memory. host: read as needed. auto: by its size.
    config.data.placement = "auto"

    # ---- networks ----
    # How many standard normal numbers an image is made from.
    config.latent_dim = 100
    # Whether the GAN is conditional: the generator sees the class, and the discriminator as its
    # `conditioning` says.
    config.conditional = False
    # What the networks compute in: float32 | bfloat16. Parameters, losses and Adam stay float32. In
    # bfloat16 a discriminator may tell reals by how even areas are rounded: not for digits.
    config.precision = "float32"
    # `family`: mlp | dcgan | sngan | sagan | biggan | biggan_deep | unet | r3gan | stylegan2. The
    # other keys are its fields (see gan_jax/models/): a config of another family replaces the whole
    # of them.
    config.generator = ConfigDict()
    config.generator.family = "mlp"
    config.generator.widths = (128, 256, 512)
    config.generator.norm = "none"  # none | batch; by class where there are classes
    config.generator.activation = "leaky_relu"  # leaky_relu | linear | relu | tanh
    config.generator.output = "tanh"
    config.discriminator = ConfigDict()
    config.discriminator.family = "mlp"
    config.discriminator.widths = (512, 256, 128)
    config.discriminator.activation = "leaky_relu"
    config.discriminator.spectral = False  # whether all its weights are spectrally normalized
    # concatenate | projection | classifier | twin_classifier | proxies: gan_jax/models/heads.py.
    config.discriminator.conditioning = "concatenate"

    # ---- objective ----
    # minimax | non_saturating | least_squares | wasserstein | hinge | relativistic
    # | relativistic_average; see gan_jax/objectives/losses.py.
    config.loss = "relativistic"
    # By how much the target of reals falls short of 1, for the two cross-entropies.
    config.label_smoothing = 0.0
    # none | auxiliary or multi_hinge (for a classifier) | discriminative (for a twin_classifier)
    # | contrastive or data_to_data (for proxies).
    config.class_loss = "none"
    config.class_weight = 1.0
    # data: a fake wears the label of the real in its row. uniform: all classes are as likely.
    config.fake_labels = "data"
    # Weight of each penalty (the papers' gamma or lambda); 0 is off.
    config.penalties = ConfigDict()
    config.penalties.r1 = 3.0
    config.penalties.r2 = 3.0
    config.penalties.wgan_gp = 0.0
    config.penalties.one_sided_gp = 0.0
    config.penalties.dragan = 0.0
    config.penalties.lecam = 0.0
    config.penalties.consistency = 0.0
    config.penalties.balanced_consistency = 0.0
    config.penalties.latent_consistency = 0.0
    config.penalties.cutmix = 0.0  # of a discriminator that judges pixels: unet
    # Those on gradients, from r1 to dragan, are lazy with an interval above 1: they wait for every
    # so many updates of the discriminator, and then are so many times as heavy. Adam's rate and
    # betas are corrected for it.
    config.penalty_interval = 1
    # The same for the generator; path_length may be lazy.
    config.generator_penalties = ConfigDict()
    config.generator_penalties.path_length = 0.0
    config.generator_penalties.latent_diversity = 0.0
    config.generator_penalties.orthogonal = 0.0
    config.generator_penalty_interval = 1
    # A factor of all weights; keys as for the learning rates below.
    config.penalty_schedule = ConfigDict()
    config.penalty_schedule.schedule = "constant"
    config.penalty_schedule.final = 0.0
    config.penalty_schedule.warmup = 0.0
    config.penalty_schedule.images = 0.0
    # What happens to all that the discriminator sees; see gan_jax/objectives/augment/. For images.
    # With apa fakes are shown to it as reals.
    config.augment = ConfigDict()
    config.augment.name = "none"  # none | diffaugment | ada | fixed | apa
    config.augment.operations = ("colour", "translation", "cutout")  # of diffaugment
    config.augment.policy = "bgc"  # of ada and fixed: b, bg, bgc, bgcf, bgcfn, bgcfnc or r3gan
    # Of fixed: ada's transformations with this probability; with a schedule it comes from 0, in so
    # many images (0: the whole run).
    config.augment.probability = 0.0
    config.augment.schedule = "constant"  # constant | linear | cosine
    config.augment.images = 0.0
    config.augment.target = 0.6  # sign rate of the reals that ada and apa steer for
    config.augment.speed = 500_000  # images in which their probability may go from 0 to 1
    # The generator learns from this fraction of its fakes, the most realistic ones: it decays from
    # 1 by the factor `decay` an epoch, down to `least`. 1: from all of them, always.
    config.top_k = ConfigDict()
    config.top_k.least = 1.0
    config.top_k.decay = 0.99

    # ---- optimization ----
    # Reals a minibatch, over all devices.
    config.batch_size = 128
    # Generator updates.
    config.total_steps = 10_000
    # Discriminator updates for each generator update.
    config.d_steps = 1
    # In how many parts a device takes its share of a batch, one after the other, to save memory.
    config.accumulate = 1
    # Adam, each network its own. The rate rises from 0 during `warmup` images, then goes to `final`
    # times itself until `images` images are seen (0: the whole run) by a straight line or a cosine;
    # after the warm-up the betas go to `b1_final` and `b2_final` (None: they stay) alike. Gradients
    # longer than `clip` are shortened to it, weights beyond `clip_weights` are cut to it; 0: none.
    for name in ("generator_optimizer", "discriminator_optimizer"):
        config[name] = ConfigDict()
        config[name].learning_rate = 6e-4
        config[name].schedule = "constant"  # constant | linear | cosine
        config[name].final = 0.0
        config[name].warmup = 0.0
        config[name].images = 0.0
        config[name].b1 = 0.0
        config[name].b2 = 0.99
        config[name].b1_final = placeholder(float)
        config[name].b2_final = placeholder(float)
        config[name].eps = 1e-8
        config[name].clip = 0.0
        config[name].clip_weights = 0.0
    # The averaged generator, which samples are drawn from. The half-life is in images; the ramp
    # caps it at that fraction of the images seen so far; 0: no cap. It may follow a schedule, with
    # the keys of the learning rates.
    config.ema = ConfigDict()
    config.ema.half_life = 64_000.0
    config.ema.ramp = 0.05
    config.ema.schedule = "constant"
    config.ema.final = 0.0
    config.ema.warmup = 0.0
    config.ema.images = 0.0

    # ---- the loop; none of these changes what is learned ----
    # Updates in one call of the compiled program. Divides every interval below. A line of metrics
    # is the mean over the call that ends there.
    config.steps_per_call = 10
    # Generator updates from one line of metrics, sample grid, checkpoint to the next.
    config.log_every = 100
    config.sample_every = 1_000
    config.checkpoint_every = 1_000
    # Whether the metrics tell the norms of gradients and of steps: some percent of the time that
    # small networks take.
    config.diagnostics = True
    # How many of the newest checkpoints are kept.
    config.keep_checkpoints = 2

    # ---- evaluation while training; none of these changes what is learned either ----
    config.eval = ConfigDict()
    # Every so many real images (0: never), and at the last step, the cheap figures are computed:
    # Frechet distance, modes and accuracy, see README. They go to evaluation.jsonl, and the state
    # is saved. A run that is stopped saves at once, and goes without the one that was due.
    config.eval.every_images = 0
    config.eval.extractor = "auto"  # auto | classifier | inception | pixels | random
    config.eval.num_samples = 1_000
    # By which of them a checkpoint is the best: fd | modes | modes_kl | accuracy.
    config.eval.best = "fd"
    # How many of the best checkpoints are kept beside the newest.
    config.eval.keep_best = 1

    return config.lock()  # from here on a misspelt key is an error
