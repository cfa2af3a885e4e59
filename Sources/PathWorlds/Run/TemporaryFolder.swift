import Glibc

/// A folder for the files of one job, in `TMPDIR`, or in /tmp without it.
public struct TemporaryFolder: Sendable {
    public let path: String

    /// The call failed in this folder, with this errno.
    public struct Failure: Error, CustomStringConvertible {
        public var place: String
        public var code: Int32

        public var description: String {
            "cannot make a folder in \(place): \(String(cString: strerror(code))); set TMPDIR to "
                + "another place"
        }
    }

    /// Makes a folder that only this user can enter.
    ///
    /// - Parameter name: a word for its name, which ends in random characters.
    public init(named name: String) throws(Failure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        let place = base.isEmpty ? "/tmp" : base
        var template = Array("\(place)/pathwise-\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(place: place, code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
