import Glibc

/// A folder for the files of one job, in `TMPDIR` or, without it, in a place that the job names.
public struct TemporaryFolder: Sendable {
    public let path: String

    /// The call failed in this folder, with this errno.
    public struct Failure: Error, CustomStringConvertible {
        public var place: String
        public var code: Int32

        /// What the system says about it.
        public var reason: String { String(cString: strerror(code)) }

        public var description: String {
            "cannot make a folder in \(place): \(reason); set TMPDIR to another place"
        }
    }

    /// Makes a folder that only this user can enter.
    ///
    /// - Parameters:
    ///   - name: a word for its name, which ends in random characters.
    ///   - usual: where it lies without `TMPDIR`.
    public init(named name: String, in usual: String = "/tmp") throws(Failure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        let place = base.isEmpty ? usual : base
        var template = Array("\(place)/pathwise-\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(place: place, code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
