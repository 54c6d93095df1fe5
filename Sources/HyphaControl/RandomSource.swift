/// Where random bytes come from: the kernel in the program, a seed in simulations.
public protocol RandomSource: Sendable {
    /// Overwrites all of `bytes`. Fit for secrets wherever the node's secrets matter.
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer)
}
