import Foundation
import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct KeyTests {
    @Test func base64AgreesWithFoundation() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let bytes = randomBytes(32, &generator)
            let text = Data(bytes).base64EncodedString()
            #expect(Base64.encode(bytes) == text)
            #expect(Base64.decode(text.utf8) == bytes)
            #expect(PublicKey(base64: text)?.rawBytes == bytes)
            #expect(PresharedKey(base64: text)?.base64 == text)
            #expect(try PrivateKey(base64: text)?.base64 == text)
        }
    }

    @Test func everyOtherCharacterIsRefused() {
        let good = Base64.encode([UInt8](repeating: 0xff, count: 32))
        let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for byte in UInt8(0)...127 {
            var text = Array(good.utf8)
            text[7] = byte
            let decoded = Base64.decode(text)
            #expect((decoded != nil) == letters.contains(byte))
        }
    }

    /// Damaged key text either is refused or spells its own 32 bytes.
    @Test func damagedTextNeverSpellsAnotherKey() {
        var generator = SeededGenerator(seed: 12)
        var accepted = 0
        for _ in 0..<20_000 {
            var text = Array(Base64.encode(randomBytes(32, &generator)).utf8)
            for _ in 0...(generator.next() % 3) {
                let index = Int(generator.next() % UInt64(text.count))
                text[index] = UInt8(truncatingIfNeeded: generator.next())
            }
            let damaged = String(decoding: text, as: UTF8.self)
            guard let bytes = Base64.decode(damaged.utf8) else { continue }
            #expect(bytes.count == 32 && Base64.encode(bytes) == damaged)
            accepted += 1
        }
        #expect(accepted > 100 && accepted < 19_000)
    }

    @Test(arguments: [
        "", "=", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAéA=",
    ])
    func otherTextIsNoKey(text: String) {
        #expect(PublicKey(base64: text) == nil)
        #expect(PrivateKey(base64: text) == nil)
        #expect(PresharedKey(base64: text) == nil)
    }

    @Test func otherLengthsAreNoKey() {
        for length in [0, 1, 31, 33, 64] {
            let bytes = [UInt8](repeating: 1, count: length)
            #expect(PublicKey(bytes) == nil)
            #expect(PrivateKey(bytes) == nil)
            #expect(PresharedKey(bytes) == nil)
            #expect(TrafficSecret(bytes) == nil)
        }
    }

    @Test func generatedKeysAreClampedAndDiffer() throws {
        let one = try PrivateKey.generate()
        let two = try PrivateKey.generate()
        #expect(one.publicKey != two.publicKey)
        let bytes = try #require(Base64.decode(one.base64.utf8))
        #expect(bytes[0] & 7 == 0 && bytes[31] & 0xc0 == 0x40)
        #expect(try PrivateKey(base64: one.base64)?.publicKey == one.publicKey)
    }

    @Test func secretsDoNotReachLogs() throws {
        let key = try PrivateKey.generate()
        let psk = try PresharedKey.generate()
        let traffic = try #require(TrafficSecret([UInt8](repeating: 65, count: 32)))
        var dumped = ""
        dump(key, to: &dumped)
        dump([psk], to: &dumped)
        dump(traffic, to: &dumped)
        dump(try DirectionKeys(suite: .aes128gcm, secret: traffic), to: &dumped)
        dumped += "\(key) \(psk) \(traffic) \([key]) \(Optional(psk) as Any)"
        dumped += String(reflecting: key) + String(reflecting: (psk, traffic))
        let (keyText, pskText) = (try key.base64, psk.base64)
        #expect(!dumped.contains(keyText))
        #expect(!dumped.contains(pskText))
        #expect(!dumped.contains("65"))
        #expect("\(key)" == "<private key>")
        #expect("\(psk)" == "<private key>")
        #expect(Mirror(reflecting: key).children.isEmpty)
        #expect(Mirror(reflecting: psk).children.isEmpty)
        #expect("\(key.publicKey)" == key.publicKey.base64)
    }
}

@Suite struct KeyFileTests {
    /// A fresh folder for one test; the test removes it.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("pathwise-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private func put(_ text: String, at path: String, mode: Int = 0o600) {
        let made = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
        #expect(made)
    }

    private func readFailure(_ path: String) -> CryptoError? {
        do {
            _ = try KeyFile.readPrivateKey(from: path)
            return nil
        } catch { return error }
    }

    @Test func roundTripsWithMode0600() throws {
        try withFolder { folder in
            let (key, psk) = (try PrivateKey.generate(), try PresharedKey.generate())
            try KeyFile.write(key, to: folder + "/a.key")
            try KeyFile.write(psk, to: folder + "/b.psk")
            for name in ["/a.key", "/b.psk"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: folder + name)
                #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            }
            let text = try String(contentsOfFile: folder + "/a.key", encoding: .utf8)
            #expect(try text == key.base64 + "\n")
            #expect(
                try KeyFile.readPrivateKey(from: folder + "/a.key").publicKey == key.publicKey)
            #expect(try KeyFile.readPresharedKey(from: folder + "/b.psk").base64 == psk.base64)
        }
    }

    @Test func neverOverwrites() throws {
        try withFolder { folder in
            let path = folder + "/key"
            put("precious", at: path)
            let key = try PrivateKey.generate()
            #expect(throws: CryptoError.keyFileExists(path: path)) {
                try KeyFile.write(key, to: path)
            }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: folder + "/elsewhere")
            #expect(throws: CryptoError.keyFileExists(path: folder + "/link")) {
                try KeyFile.write(key, to: folder + "/link")
            }
            #expect(!FileManager.default.fileExists(atPath: folder + "/elsewhere"))
        }
    }

    @Test func aFolderThatIsMissingIsNamed() throws {
        let key = try PrivateKey.generate()
        let path = "/nonexistent-pathwise/key"
        do {
            try KeyFile.write(key, to: path)
            Issue.record("written to a folder that does not exist")
        } catch {
            #expect(error == .keyFile(operation: "create", path: path, code: ENOENT))
            #expect("\(error)".contains(path))
            #expect("\(error)".contains("No such file or directory; make its folder first"))
        }
    }

    @Test(arguments: [0o640, 0o604, 0o644, 0o620, 0o601, 0o660, 0o777])
    func filesOpenToOthersAreRefused(mode: Int) throws {
        try withFolder { folder in
            let path = folder + "/key"
            put(try PrivateKey.generate().base64 + "\n", at: path, mode: mode)
            let error = readFailure(path)
            #expect(error == .keyFileExposed(path: path, mode: UInt32(mode)))
            #expect(error?.description.contains("chmod 600 \(path)") == true)
        }
    }

    @Test func filesForTheOwnerAloneAreRead() throws {
        try withFolder { folder in
            let key = try PrivateKey.generate()
            for mode in [0o600, 0o400, 0o700] {
                let path = folder + "/key-\(mode)"
                put(" \t" + (try key.base64) + "\r\n\n", at: path, mode: mode)
                #expect(try KeyFile.readPrivateKey(from: path).publicKey == key.publicKey)
            }
        }
    }

    @Test func malformedFilesAreRefusedWithTheReason() throws {
        try withFolder { folder in
            let good = try PrivateKey.generate().base64
            let cases = [
                ("", "0 characters"), ("hello", "5 characters"),
                (good + good, "88 characters"), (good + "\n" + good, "89 characters"),
                (String(good.dropLast()) + "!", "not the base64"),
                (String(repeating: "A", count: 1_025), "longer than 1024 bytes"),
                (String(repeating: "A", count: 1_000_000), "longer than 1024 bytes"),
            ]
            for (index, (text, reason)) in cases.enumerated() {
                let path = folder + "/\(index)"
                put(text, at: path)
                guard case .keyFileMalformed(path, let problem) = readFailure(path) else {
                    Issue.record("case \(index) gave \(String(describing: readFailure(path)))")
                    continue
                }
                #expect(problem.contains(reason))
                #expect(!problem.contains(good))
            }
        }
    }

    @Test func missingFilesAndFoldersAreNamed() throws {
        try withFolder { folder in
            #expect(readFailure(folder + "/none") == .keyFileMissing(path: folder + "/none"))
            #expect(
                readFailure(folder)
                    == .keyFileMalformed(path: folder, problem: "not a regular file"))
            let message = try #require(readFailure(folder + "/none")?.description)
            #expect(message.contains("pathwise keygen"))
        }
    }
}
