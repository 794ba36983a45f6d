"""What the scripts about the tutorial's theory share: nets, measures, training."""
