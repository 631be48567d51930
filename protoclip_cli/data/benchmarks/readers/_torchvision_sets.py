"""Where torchvision's data sets keep what, so that labels are known without decoding an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_TRAIN_TEST = {"train": "train", "test": "test"}
_WITH_VAL = {"train": "train", "val": "val", "test": "test"}


@dataclass(frozen=True, slots=True)
class TorchvisionSet:
    """One of torchvision's data sets."""

    folder: str
    """Below the root, where torchvision looks for it."""
    mark: str = ""
    """A part of it that no other layout of the same data has."""
    splits: Mapping[str, str] = field(default_factory=lambda: _TRAIN_TEST)
    """Its names of our splits. `whole`: it has none."""
    argument: str = "split"
    """Of its constructor, that chooses the split. `train`: true or false."""
    pixels: str | None = None
    """The attribute that holds all pixels."""
    files: str | None = None
    """The attribute that holds paths, or pairs of path and label."""
    labels: str | None = None
    """The attribute that holds labels. None: they are in `files`."""
    values: bool = False
    """Whether labels are numbers of something, which are classes in the order of their size."""
    contents: str = ""
    """What the folder holds, for a person."""
    download: bool = True
    """Whether torchvision can fetch it."""


SETS: dict[str, TorchvisionSet] = {
    "CIFAR10": TorchvisionSet(
        "cifar-10-batches-py",
        argument="train",
        pixels="data",
        labels="targets",
        contents="data_batch_1 ... test_batch",
    ),
    "CIFAR100": TorchvisionSet(
        "cifar-100-python", argument="train", pixels="data", labels="targets", contents="train, test and meta"
    ),
    "MNIST": TorchvisionSet(
        "MNIST/raw",
        argument="train",
        pixels="data",
        labels="targets",
        contents="train-images-idx3-ubyte and the others",
    ),
    "SVHN": TorchvisionSet(
        "", "test_32x32.mat", pixels="data", labels="labels", contents="train_32x32.mat and test_32x32.mat"
    ),
    "STL10": TorchvisionSet(
        "stl10_binary", pixels="data", labels="labels", contents="train_X.bin, test_X.bin and the others"
    ),
    "Food101": TorchvisionSet(
        "food-101", "meta", files="_image_files", labels="_labels", contents="images/ and meta/"
    ),
    "DTD": TorchvisionSet(
        "dtd", "dtd", _WITH_VAL, files="_image_files", labels="_labels", contents="dtd/images/, dtd/labels/"
    ),
    "OxfordIIITPet": TorchvisionSet(
        "oxford-iiit-pet",
        "annotations",
        {"train": "trainval", "test": "test"},
        files="_images",
        labels="_labels",
        contents="images/ and annotations/",
    ),
    "FGVCAircraft": TorchvisionSet(
        "fgvc-aircraft-2013b",
        "data",
        _WITH_VAL,
        files="_image_files",
        labels="_labels",
        contents="data/images/ and data/*.txt",
    ),
    "Flowers102": TorchvisionSet(
        "flowers-102",
        "jpg",
        _WITH_VAL,
        files="_image_files",
        labels="_labels",
        contents="jpg/, imagelabels.mat and setid.mat",
    ),
    "GTSRB": TorchvisionSet(
        "gtsrb",
        "GTSRB",
        files="_samples",
        contents="GTSRB/{Training/,Final_Test/Images/} and GT-final_test.csv",
    ),
    "Country211": TorchvisionSet(
        "country211",
        "test",
        {"train": "train", "val": "valid", "test": "test"},
        files="samples",
        contents="train/, valid/ and test/",
    ),
    "RenderedSST2": TorchvisionSet(
        "rendered-sst2", "test", _WITH_VAL, files="_samples", contents="train/, valid/ and test/"
    ),
    "StanfordCars": TorchvisionSet(
        "stanford_cars",
        "devkit",
        files="_samples",
        contents="devkit/, cars_train/, cars_test/ and cars_test_annos_withlabels.mat",
        download=False,
    ),
    "EuroSAT": TorchvisionSet("eurosat", "2750", {"whole": ""}, files="samples", contents="2750/<class>/"),
    "SUN397": TorchvisionSet(
        "SUN397",
        "ClassName.txt",
        {"whole": ""},
        files="_image_files",
        labels="_labels",
        contents="ClassName.txt and a/ ... z/",
    ),
    "Caltech101": TorchvisionSet(
        "caltech101", "101_ObjectCategories", {"whole": ""}, labels="y", contents="101_ObjectCategories/"
    ),
    "CLEVRClassification": TorchvisionSet(
        "clevr",
        "CLEVR_v1.0",
        {"train": "train", "test": "val"},
        files="_image_files",
        labels="_labels",
        values=True,
        contents="CLEVR_v1.0/images/ and CLEVR_v1.0/scenes/",
    ),
    "FER2013": TorchvisionSet(
        "fer2013", pixels="", contents="fer2013.csv or icml_face_data.csv", download=False
    ),
    "PCAM": TorchvisionSet("pcam", "", _WITH_VAL, contents="camelyonpatch_level_2_split_*_x.h5 and _y.h5"),
}
"""By the name of the class in `torchvision.datasets`."""
