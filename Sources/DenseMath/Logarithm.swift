import Glibc

/// The natural logarithm of the C library.
func logarithm(_ x: Double) -> Double { log(x) }
