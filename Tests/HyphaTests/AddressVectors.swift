/// The part of addresses.json that the key commands show.
struct AddressVectors: Decodable {
    struct Row: Decodable {
        let secretKey: String
        let publicKey: String
        let address: String
    }

    let keys: [Row]
}
