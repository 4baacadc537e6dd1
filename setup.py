"""The distribution `hanmill`: three rooms of code, and extras so that counting needs no framework."""

from pathlib import Path

from setuptools import find_packages, setup

DASK = ["dask>=2026.8", "distributed>=2026.8", "prometheus-client>=0.22"]
SLURM = [*DASK, "dask-jobqueue>=0.9"]
BEAM = ["apache-beam>=2.77", "google-crc32c>=1.7", "setuptools>=80"]  # which builds what is staged to workers
RECORDS = ["google-crc32c>=1.7", "tokenizers>=0.23"]
TRAIN = [*RECORDS, "keras>=3.15", "h5py>=3.14", "safetensors>=0.5"]

setup(
    name="hanmill",
    version="0.1.0",
    description="Chinese corpora to word counts, vocabularies, TFRecords and trained models",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["transforms*", "models*", "pipelines*"]),
    package_data={"": ["py.typed"], "pipelines": ["recipes/*.toml"]},
    install_requires=[
        "bokeh>=3.8",
        "fsspec>=2026.2",
        "jieba==0.42.1",
        "jinja2>=3.1",
        "llvmlite>=0.50",
        "numba>=0.68",
        "numpy>=2.3",
        "pillow>=12",
        "pyarrow>=25",
        "rich>=14",
        "typer>=0.29",
    ],
    extras_require={
        "dask": DASK,
        "slurm": SLURM,
        "beam": BEAM,
        "records": RECORDS,
        "angles": ["safetensors>=0.5", "scipy>=1.16"],
        "train": [*TRAIN, "tensorflow>=2.21"],
        "train-cpu": [*TRAIN, "tensorflow-cpu>=2.21"],
        # What is compared with in tests/parity and `hanmill bench encoder`; not in the lock, as it is of gigabytes.
        "parity": ["jax==0.10.2", "torch==2.13.0", "transformers>=5.23"],
        "dev": [
            "duckdb>=1.4",
            "hypothesis>=6.140",
            "jax==0.10.2",
            "mypy>=2.4",
            "pandas>=2.3",
            "polars>=1.30",
            "pytest>=9.0",
            "pytest-xdist>=3.8",
            "rjieba>=0.2.2",
            "ruff>=0.17",
            "tensorflow-datasets>=4.9",
        ],
    },
    entry_points={"console_scripts": ["hanmill=pipelines.cli:main"]},
)
