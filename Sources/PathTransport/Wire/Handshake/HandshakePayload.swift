/// The encrypted payload of a client's first message: proof of the pre-shared key, the stamp that
/// makes it newer than those before, then the transport parameters.
///
/// Noise mixes the pre-shared key into the second message only. With the proof a server refuses a
/// wrong key at once, and keeps no state of that client.
enum HandshakePayload {
    static let proofLength = 16
    static let stampLength = 8
    private static let label = Array("pathwise psk".utf8)

    static func encode(
        _ parameters: TransportParameters, stamp: InitiationStamp, key: PresharedKey,
        ephemeral: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try proof(key, ephemeral) + bigEndian(stamp.nanoseconds) + parameters.encoded()
    }

    static func isProved(
        _ payload: [UInt8], by key: PresharedKey, ephemeral: [UInt8]
    ) throws(CryptoError) -> Bool {
        guard payload.count >= proofLength else { return false }
        let expected = try proof(key, ephemeral)
        return Crypto.equal(
            payload.span.bytes.extracting(0..<proofLength), expected.span.bytes)
    }

    /// The content after the proof; nil when it is truncated or out of range.
    static func content(
        _ payload: [UInt8]
    ) -> (stamp: InitiationStamp, parameters: TransportParameters)? {
        payload.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard reader.bytes(proofLength) != nil, let stamp = reader.uint64(),
                let rest = reader.bytes(reader.remaining),
                let parameters = TransportParameters(rest)
            else { return nil }
            return (InitiationStamp(nanoseconds: stamp), parameters)
        }
    }

    /// HMAC-SHA256 under the key over a label and the client's ephemeral key, truncated to 16
    /// bytes.
    private static func proof(
        _ key: PresharedKey, _ ephemeral: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let full = try Crypto.hmac(key: key.secret, label.span.bytes, ephemeral.span.bytes)
        return Array(full.array.prefix(proofLength))
    }
}
