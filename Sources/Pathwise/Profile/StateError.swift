import PathTelemetry
public import PathTransport

/// What is wrong with a state folder, a token or a profile, and how to fix it.
public enum StateError: Error, Sendable {
    /// The environment names no home.
    case noHome
    /// Others may use the folder or file.
    case exposed(path: String, mode: UInt32)
    /// The folder belongs to another user.
    case foreign(path: String, owner: UInt32)
    /// Another server uses the folder.
    case inUse(String)
    /// A line of a file is wrong; the text says what to write.
    case malformed(file: String, line: Int, String)
    case file(FileError)
    /// The file is not there.
    case missing(String)
    /// The file is a folder, a pipe or a device.
    case notRegular(String)
    case crypto(CryptoError)
    /// A text is no token that can be used; the text says why.
    case token(String)
    /// A name that is not allowed for a profile or a client.
    case badName(String)
    /// A profile of that name exists.
    case profileExists(name: String, path: String)
    /// There is no such profile; these are there.
    case noProfile(name: String?, known: [String])
    /// Several profiles are there, and none is named.
    case severalProfiles([String])
}

extension StateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noHome:
            "neither XDG_CONFIG_HOME nor HOME names a folder; set HOME, or give --state DIR"
        case .exposed(let path, let mode):
            "\(EscapedText(path)) has mode 0\(String(mode, radix: 8)), so others can use the keys; "
                + "run: chmod go= \(EscapedText(path))"
        case .foreign(let path, let owner):
            "\(EscapedText(path)) belongs to the user with the number \(owner), who could replace the "
                + "keys in it; run this as that user, or choose another folder with --state"
        case .inUse(let path):
            "another server uses \(EscapedText(path)); end it, or choose another folder with "
                + "--state"
        case .malformed(let file, let line, let text):
            "\(EscapedText(file)), line \(line): \(text)"
        case .file(let error): "\(error)"
        case .missing(let path): "\(EscapedText(path)) is missing; put it back"
        case .notRegular(let path):
            "\(EscapedText(path)) is not a regular file; move it away, and put the file back"
        case .crypto(let error): "\(error)"
        case .token(let problem): problem
        case .badName(let name):
            "'\(EscapedText(name))' cannot be a name; it has \(PlainName.rule)"
        case .profileExists(let name, let path):
            "a server with the name '\(name)' is known already (\(EscapedText(path))); "
                + "choose another with --name, or replace it with --force"
        case .noProfile(let name, let known):
            StateError.unknown(name, known)
        case .severalProfiles(let names):
            "several servers are known: \(names.joined(separator: ", ")); choose one with --server"
        }
    }

    private static func unknown(_ name: String?, _ known: [String]) -> String {
        guard let name else {
            return "no server is known; join one with 'pathwise join TOKEN', "
                + "or give --to, --peer and --key"
        }
        let others =
            known.isEmpty
            ? "join it with 'pathwise join TOKEN'" : "known are: \(known.joined(separator: ", "))"
        return "no server is known as '\(EscapedText(name))'; \(others)"
    }
}
