"""What sampling does to a gradient, measured at given weights against the exact one."""
