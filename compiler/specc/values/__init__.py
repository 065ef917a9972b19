"""What the compiler computes with: sizes, the closed expression language, numbers that know their formula."""
