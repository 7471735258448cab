"""The screens, one a file; the modal ones return a value."""
