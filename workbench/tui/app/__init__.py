"""The app: the session of a terminal, its keys and theme, the training of this process, the four screens together."""
