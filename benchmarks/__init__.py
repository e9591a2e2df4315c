"""Scripts that run graphscope and the alternative side by side and print ratios."""
