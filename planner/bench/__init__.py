"""Model -> measurement -> verdict: what a pick really takes on a device, beside what was predicted."""
