extension Array where Element == UInt8 {
    /// Appends the bytes of `value`, lowest first.
    mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
        for i in 0..<Value.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value &>> Value(8 * i))) }
    }

    /// Reads a number, lowest byte first. The caller has checked that it lies inside the array.
    func littleEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for i in 0..<Value.bitWidth / 8 { value |= Value(self[offset + i]) &<< Value(8 * i) }
        return value
    }
}
