"""What a model runs on: accelerators, how much of their peaks kernels reach, and the bytes of a number."""

from planner.hardware.card import FILE_FORMAT, FORMAT_VERSION, HARDWARE_FILE, PRECISIONS, Hardware
from planner.hardware.catalog import HARDWARE, default_precision, find_hardware, hardware_aliases, hardware_catalog
from planner.hardware.host import CPU, host_cpu, host_name

__all__ = [
    "CPU",
    "FILE_FORMAT",
    "FORMAT_VERSION",
    "HARDWARE",
    "HARDWARE_FILE",
    "PRECISIONS",
    "Hardware",
    "default_precision",
    "find_hardware",
    "hardware_aliases",
    "hardware_catalog",
    "host_cpu",
    "host_name",
]
