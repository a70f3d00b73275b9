"""Benchmarks of the product on a real cluster; `bench/run` starts them."""
