"""Advice on clocks, power and cores, and none where nothing is to be done."""

from bench.nvml import Nvml, gpu

from planner.bench.steady import steady_advice

GPU = {"device_type": "cuda"}


def test_facts_of_a_card():
    facts = gpu(
        Nvml(
            nvmlDeviceGetMaxClockInfo=lambda kind: 1980,
            nvmlDeviceGetClockInfo=lambda kind: {1: 345, 2: 2619}[kind],
            nvmlDeviceGetEnforcedPowerLimit=lambda: 350_000,
            nvmlDeviceGetPowerManagementDefaultLimit=lambda: 700_000,
        )
    ).facts()
    assert (facts["sm_clock_mhz"], facts["memory_clock_mhz"], facts["sm_clock_max_mhz"]) == (345, 2619, 1980)
    assert (facts["power_limit_w"], facts["power_limit_default_w"], facts["clocks_locked"]) == (350.0, 700.0, None)
    lock, power = steady_advice({**GPU, **facts})
    assert "nvidia-smi -lgc MHZ,MHZ" in lock and "1980 MHz" in lock and "-rgc" in lock and "not known" in lock
    assert "350 W" in power and "nvidia-smi -pl 700" in power


def test_a_card_of_which_nothing_is_known():
    (lock,) = steady_advice(GPU)
    assert "MHz" not in lock
    assert len(steady_advice({**GPU, "power_limit_w": 700.0, "power_limit_default_w": 700.0})) == 1


def test_cores_and_clocks_of_the_host():
    facts = {"device_type": "cpu", "governor": "powersave", "turbo": True, "cores": 8, "threads": 4}
    governor, turbo, cores = steady_advice(facts, {})
    assert "powersave" in governor and "-g performance" in governor and "turbo" in turbo
    assert "OMP_PROC_BIND=close" in cores and "taskset -c 0-3 " in cores and "numactl" in cores
    assert steady_advice({**facts, "governor": "performance", "turbo": False}, {"OMP_PROC_BIND": "close"}) == ()
    assert steady_advice({"device_type": "cpu", "cores": 1, "threads": 1}, {}) == ()
