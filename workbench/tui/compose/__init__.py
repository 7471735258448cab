"""The Compose screen: the recipe being put together, its preview, its forms and dialogs."""
