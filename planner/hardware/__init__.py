"""What a model runs on: accelerators, how much of their peaks kernels reach, and the bytes of a number."""

from planner.hardware.card import FILE_FORMAT, FORMAT_VERSION, HARDWARE_FILE, PRECISIONS, Hardware
from planner.hardware.catalog import (
    HARDWARE,
    check_bf16,
    default_precision,
    find_hardware,
    hardware_aliases,
    hardware_catalog,
    released_precision,
)
from planner.hardware.host import CPU, host_cpu, host_name

__all__ = [
    "CPU",
    "FILE_FORMAT",
    "FORMAT_VERSION",
    "HARDWARE",
    "HARDWARE_FILE",
    "PRECISIONS",
    "Hardware",
    "check_bf16",
    "default_precision",
    "find_hardware",
    "hardware_aliases",
    "hardware_catalog",
    "host_cpu",
    "host_name",
    "released_precision",
]
