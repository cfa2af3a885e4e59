import Glibc
import PathTransport
import Testing

struct KeyTests {
    private let scratch = Scratch()

    @Test func keyFileAndItsPublicKey() throws {
        let file = scratch.file("alice.key")
        let made = try Pathwise.run("keygen", file)
        #expect(made.status == 0)
        #expect(made.errors.isEmpty)
        var status = stat()
        #expect(stat(file, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        let key = try KeyFile.readPrivateKey(from: file)
        #expect(made.output == key.publicKey.base64 + "\n")

        #expect(try Pathwise.run("pubkey", file).output == made.output)
        #expect(try Pathwise.run("pubkey", "-", input: text(of: file)).output == made.output)
    }

    @Test func withoutFileThePrivateKeyIsPrinted() throws {
        let made = try Pathwise.run("keygen")
        let key = try #require(PrivateKey(base64: String(made.output.dropLast())))
        let read = try Pathwise.run("pubkey", "-", input: made.output)
        #expect(read.output == key.publicKey.base64 + "\n")
    }

    @Test func presharedKey() throws {
        let file = scratch.file("psk")
        let made = try Pathwise.run("keygen", "--psk", file)
        #expect(made.status == 0)
        #expect(made.output.isEmpty)
        _ = try KeyFile.readPresharedKey(from: file)
        let printed = try Pathwise.run("keygen", "--psk")
        #expect(PresharedKey(base64: String(printed.output.dropLast())) != nil)
    }

    @Test func anExistingFileStays() throws {
        let file = scratch.file("alice.key")
        _ = try Pathwise.run("keygen", file)
        let before = bytes(of: file)
        let again = try Pathwise.run("keygen", file)
        #expect(again.status == 73)
        #expect(
            again.errorLine
                == "pathwise: \(file) exists already and is not overwritten; "
                + "choose another name or remove it")
        #expect(bytes(of: file) == before)
    }

    /// If the public key cannot be printed, the error says where the key is, or no key was made.
    @Test func aPublicKeyThatCannotBePrinted() throws {
        let file = scratch.file("alice.key")
        let full = try Pathwise(["keygen", file], shell: "exec \"$@\" >/dev/full").wait()
        #expect(full.status == 74)
        #expect(full.errorLine?.contains("the key is in \(file)") == true, "\(full.errors)")
        let key = try KeyFile.readPrivateKey(from: file)
        #expect(try Pathwise.run("pubkey", file).output == key.publicKey.base64 + "\n")
        let other = scratch.file("bob.key")
        let closed = try Pathwise(["keygen", other], shell: "exec \"$@\" >&-").wait()
        #expect(closed.status == 74)
        #expect(closed.errorLine?.contains("standard output is closed") == true)
        #expect(access(other, F_OK) != 0)
        // A closed reader is an error too.
        let gone = try Pathwise(
            ["keygen", other], shell: "{ sleep 0.2; \"$@\"; echo $? >&2; } | true"
        ).wait()
        #expect(gone.errors.contains("Broken pipe"), "\(gone.errors)")
        #expect(gone.errors.hasSuffix("74\n"), "\(gone.errors)")
    }

    @Test func exposedKeyFile() throws {
        let file = scratch.file("alice.key")
        _ = try Pathwise.run("keygen", file)
        chmod(file, 0o644)
        let run = try Pathwise.run("pubkey", file)
        #expect(run.status == 78)
        #expect(
            run.errorLine
                == "pathwise: key file \(file) has mode 0644, so others can use the key; "
                + "run: chmod 600 \(file)")
    }
}
