import HyphaInterchange

extension WorkerCommand {
    /// The bits of `setLink`'s value that say how the link seals.
    static func sealBits(_ policy: SealPolicy) -> UInt32 {
        switch policy {
        case .adaptive: 0
        case .full: WorkerCommand.fullSealBit
        case .header: WorkerCommand.headerSealBit
        }
    }
}
