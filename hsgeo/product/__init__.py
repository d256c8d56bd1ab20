"""PRODUCT OUT: the convention of products, and how they are put together, opened, shown and described."""
