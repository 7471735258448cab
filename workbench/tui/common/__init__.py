"""What the screens share: the registry of actions, widgets, dialogs, texts, the services that the app gives them."""
