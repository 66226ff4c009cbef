"""A made NVML of one card."""

from types import SimpleNamespace

import torch

from planner.bench.meters import Gpu

CARD = torch.device("cuda")


class Nvml:
    """NVML of one card; what is not set is not supported."""

    NVML_FI_DEV_PERF_POLICY_POWER = 74
    NVML_FI_DEV_PERF_POLICY_THERMAL = 75
    NVML_PERF_POLICY_POWER = 0
    NVML_PERF_POLICY_THERMAL = 1
    nvmlClocksEventReasonSwPowerCap = 4

    def __init__(self, *, fields=None, violations=None, reasons=0, **answers):
        self.fields, self.violations, self.reasons = fields, violations, reasons
        self.answers = answers

    def nvmlDeviceGetFieldValues(self, handle, numbers):
        known = self.fields or {}
        return [
            SimpleNamespace(nvmlReturn=0 if one in known else 3, value=SimpleNamespace(ullVal=known.get(one, 0)))
            for one in numbers
        ]

    def nvmlDeviceGetViolationStatus(self, handle, policy):
        return SimpleNamespace(referenceTime=1, violationTime=self.violations[policy])

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):
        return self.reasons

    def __getattr__(self, name):
        answers = self.__dict__.get("answers", {})
        if name not in answers:
            raise AttributeError(name)
        return lambda *arguments: answers[name](*arguments[1:])


def gpu(nvml):
    return Gpu(CARD, counters=(nvml, "handle"))
