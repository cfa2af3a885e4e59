internal import CCrypto

/// The hash, MAC, key-derivation and randomness primitives of the handshake.
package enum Crypto {
    /// Length of an AEAD tag, bytes.
    package static let tagLength = Int(CCRYPTO_TAG_LENGTH)

    /// SHA-256 (FIPS 180-4) of the two pieces concatenated.
    package static func sha256(
        _ first: RawSpan, _ second: RawSpan = RawSpan()
    ) throws(CryptoError) -> Bytes32 {
        var digest = Bytes32()
        let done = unsafe first.withUnsafeBytes { first in
            unsafe second.withUnsafeBytes { second in
                unsafe digest.withMutableBytes { digest in
                    unsafe ccrypto_sha256(
                        first.start, first.count, second.start, second.count, digest)
                }
            }
        }
        guard done == 1 else { throw .backend(operation: "SHA-256") }
        return digest
    }

    /// HMAC-SHA256 (RFC 2104) of the two pieces concatenated, under a key of any length.
    package static func hmac(
        key: RawSpan, _ first: RawSpan, _ second: RawSpan = RawSpan()
    ) throws(CryptoError) -> Bytes32 {
        var mac = Bytes32()
        let done = unsafe key.withUnsafeBytes { key in
            unsafe first.withUnsafeBytes { first in
                unsafe second.withUnsafeBytes { second in
                    unsafe mac.withMutableBytes { mac in
                        unsafe ccrypto_hmac_sha256(
                            key.start, key.count, first.start, first.count, second.start,
                            second.count, mac)
                    }
                }
            }
        }
        guard done == 1 else { throw .backend(operation: "HMAC-SHA256") }
        return mac
    }

    /// HMAC-SHA256 under a secret, with a result that may be shown.
    static func hmac(
        key: SecretBytes, _ first: RawSpan, _ second: RawSpan
    ) throws(CryptoError) -> Bytes32 {
        try unsafe key.withBytes { (key: UnsafePointer<UInt8>) throws(CryptoError) in
            let key = unsafe UnsafeRawBufferPointer(start: key, count: SecretBytes.length)
            return try unsafe hmac(key: key.bytes, first, second)
        }
    }

    /// HMAC-SHA256 whose key and result are secret.
    static func secretHMAC(
        key: SecretBytes, _ first: UnsafeBufferPointer<UInt8>,
        _ second: UnsafeBufferPointer<UInt8> = unsafe UnsafeBufferPointer(start: nil, count: 0)
    ) throws(CryptoError) -> SecretBytes {
        try unsafe SecretBytes { (mac: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            let done = unsafe key.withBytes { key in
                unsafe ccrypto_hmac_sha256(
                    key, SecretBytes.length, first.baseAddress, first.count, second.baseAddress,
                    second.count, mac)
            }
            guard done == 1 else { throw .backend(operation: "HMAC-SHA256") }
        }
    }

    /// Noise's HKDF with two outputs (Noise Protocol Framework, section 4.3).
    static func noiseHKDF(
        chainingKey: SecretBytes, input: UnsafeBufferPointer<UInt8>
    ) throws(CryptoError) -> (SecretBytes, SecretBytes) {
        let extracted = try unsafe secretHMAC(key: chainingKey, input)
        let first = try nextOutput(extracted, after: nil, counter: 1)
        return (first, try nextOutput(extracted, after: first, counter: 2))
    }

    /// Noise's HKDF with three outputs, for preshared keys.
    static func noiseHKDF3(
        chainingKey: SecretBytes, input: UnsafeBufferPointer<UInt8>
    ) throws(CryptoError) -> (SecretBytes, SecretBytes, SecretBytes) {
        let extracted = try unsafe secretHMAC(key: chainingKey, input)
        let first = try nextOutput(extracted, after: nil, counter: 1)
        let second = try nextOutput(extracted, after: first, counter: 2)
        return (first, second, try nextOutput(extracted, after: second, counter: 3))
    }

    private static func nextOutput(
        _ extracted: SecretBytes, after previous: SecretBytes?, counter: UInt8
    ) throws(CryptoError) -> SecretBytes {
        try unsafe withUnsafePointer(to: counter) {
            (counter: UnsafePointer<UInt8>) throws(CryptoError) in
            let last = unsafe UnsafeBufferPointer(start: counter, count: 1)
            guard let previous else { return try unsafe secretHMAC(key: extracted, last) }
            return try unsafe previous.withBytes {
                (bytes: UnsafePointer<UInt8>) throws(CryptoError) in
                let piece = unsafe UnsafeBufferPointer(start: bytes, count: SecretBytes.length)
                return try unsafe secretHMAC(key: extracted, piece, last)
            }
        }
    }

    /// HKDF-Expand-Label of TLS 1.3 (RFC 8446, section 7.1) with an empty context.
    ///
    /// `label` is the whole label, prefix included. `length` is 1...32 bytes; the rest of the
    /// result is zero. One block of HKDF-Expand is enough for all keys here.
    static func expandLabel(
        _ secret: SecretBytes, label: String, length: Int
    ) throws(CryptoError) -> SecretBytes {
        guard (1...SecretBytes.length).contains(length), label.utf8.count <= 255 else {
            throw .wrongLength(what: "derived key", expected: SecretBytes.length, found: length)
        }
        var info: [UInt8] = [0, UInt8(truncatingIfNeeded: length)]
        info.append(UInt8(truncatingIfNeeded: label.utf8.count))
        info.append(contentsOf: label.utf8)
        info.append(0)
        info.append(1)
        let block: SecretBytes = try unsafe info.withUnsafeBufferPointer {
            (info: UnsafeBufferPointer<UInt8>) throws(CryptoError) in
            try unsafe secretHMAC(key: secret, info)
        }
        guard length < SecretBytes.length else { return block }
        return try unsafe SecretBytes { (target: UnsafeMutablePointer<UInt8>) in
            unsafe block.withBytes { unsafe target.update(from: $0, count: length) }
        }
    }

    /// Whether both have the same bytes, in a time that depends only on their lengths.
    package static func equal(_ left: RawSpan, _ right: RawSpan) -> Bool {
        guard left.byteCount == right.byteCount else { return false }
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in
                unsafe left.isEmpty || ccrypto_equal(left.start, right.start, left.count) == 1
            }
        }
    }

    /// Random bytes from libcrypto's generator, which the operating system seeds.
    package static func randomBytes(count: Int) throws(CryptoError) -> [UInt8] {
        guard count > 0 else { return [] }
        var done: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            unsafe done = ccrypto_random(buffer.baseAddress, count)
            used = done == 1 ? count : 0
        }
        guard done == 1 else { throw .backend(operation: "random bytes") }
        return bytes
    }

    /// A number from the same generator, for what an attacker must not guess.
    static func randomNumber<Number: FixedWidthInteger & UnsignedInteger>(
        _: Number.Type = Number.self
    ) throws(CryptoError) -> Number {
        try randomBytes(count: Number.bitWidth / 8).reduce(0) { $0 << 8 | Number($1) }
    }

    /// A new secret from the same generator.
    static func randomSecret() throws(CryptoError) -> SecretBytes {
        try unsafe SecretBytes { (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            guard unsafe ccrypto_random(target, SecretBytes.length) == 1 else {
                throw .backend(operation: "random bytes")
            }
        }
    }

    /// Overwrites secret bytes with zeros in a way that the compiler keeps.
    package static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
        if let base = bytes.baseAddress { unsafe ccrypto_wipe(base, bytes.count) }
    }

    /// Wipes an array that held secret bytes.
    static func wipe(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { unsafe wipe($0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The start as the C shim takes it.
    var start: UnsafePointer<UInt8>? {
        unsafe baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}
