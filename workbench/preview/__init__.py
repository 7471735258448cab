"""A child process that builds recipes for the screens, so that no screen touches torch or a training's random state."""
