/// Overwrites key bytes with zeros. Never inlined, so that the stores cannot be seen as unused and left out.
@inline(never)
func wipe(_ bytes: inout [UInt8]) {
    for i in bytes.indices { bytes[i] = 0 }
}
