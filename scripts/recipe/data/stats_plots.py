"""The plots of a set's statistics, as SVG files. Cheap to import: rules need their names."""

from recipe import charts

# In the order in which a reader wants them.
STATS_PLOTS = ("durations", "speech_rates", "levels", "silence", "clipping", "fbank")
WIDTH = 420  # room for the labels of all bins


def plots(found: dict) -> dict[str, str]:
    """The text of each plot's SVG file by its name in STATS_PLOTS, of what stats.json holds: `stats.describe`'s values
    with those of `stats.fbank_statistics` as `audio`."""
    counted, measured = found["histograms"], found["audio"]
    bars = {
        "durations": ("Durations", "seconds", counted["duration_seconds"]),
        "speech_rates": ("Speech rates", "tokens per second", counted["tokens_per_second"]),
        "levels": ("Levels (RMS)", "dB of full scale", measured["level_histogram"]),
        "silence": ("Silence within utterances", "share of 10 ms frames", measured["silence_histogram"]),
        "clipping": ("Clipping", "share of samples at full scale", measured["clipped_histogram"]),
    }
    drawn = {
        name: charts.document(charts.histogram(title, unit, **values, width=WIDTH), title)
        for name, (title, unit, values) in bars.items()
    }
    title, deviations = "Filter bank: mean and deviation", [variance**0.5 for variance in measured["fbank_variance"]]
    fbank = charts.band(title, "bin", "log energy", measured["fbank_mean"], deviations, WIDTH)
    return drawn | {"fbank": charts.document(fbank, title)}
