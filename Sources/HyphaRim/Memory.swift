internal import CKernel

/// Large memory that is reserved at start and touched when used.
public enum Memory {
    /// Zeroed, page-aligned memory that costs nothing until it is touched. Lives until `release`.
    ///
    /// Throws when the address space or a limit of the process does not have it.
    public static func reserve(bytes: Int) throws(RimError) -> UnsafeMutableRawBufferPointer {
        guard bytes > 0, let memory = chy_reserve(bytes) else {
            throw RimError(
                .system,
                "cannot reserve \(bytes) bytes of memory: lower the limits of the configuration, or raise the address-space limit of the process (ulimit -v)"
            )
        }
        return UnsafeMutableRawBufferPointer(start: memory, count: bytes)
    }

    /// Gives reserved memory back.
    public static func release(_ memory: UnsafeMutableRawBufferPointer) {
        guard let start = memory.baseAddress else { return }
        chy_unreserve(start, memory.count)
    }

    /// Asks the kernel to back the memory with huge pages; it may refuse silently.
    public static func adviseHugePages(_ memory: UnsafeMutableRawBufferPointer) {
        guard let start = memory.baseAddress else { return }
        chy_advise_huge(start, memory.count)
    }
}
