"""Tests of reading, augmenting and batching data."""
