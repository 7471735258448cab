"""Operations on batches of images, every image with its own strength, that augmentation techniques choose among."""
