import Glibc
import PathLearning

/// The directory for the files of a demonstration.
struct DemoDirectory: Sendable {
    let root: String
    private let isTemporary: Bool

    /// - Parameter named: created if it does not exist; nil creates a temporary directory.
    init(_ named: String?) throws(DemoError) {
        if let named {
            guard mkdir(named, 0o755) == 0 || errno == EEXIST else {
                throw .file("make", named, errno)
            }
            guard access(named, W_OK | X_OK) == 0 else { throw .file("write to", named, errno) }
            root = named
            isTemporary = false
            return
        }
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array(((base.isEmpty ? "/tmp" : base) + "/pathwise-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .file("make a directory in", base.isEmpty ? "/tmp" : base, errno)
        }
        root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        isTemporary = true
    }

    func path(of name: String) -> String { root + "/" + name }

    /// Creates a directory for received files.
    func inbox(_ policy: String) throws(DemoError) -> String {
        let path = path(of: "received-" + policy)
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .file("make", path, errno) }
        return path
    }

    /// Removes the sent file and its received copies.
    func removeTransferred() {
        unlink(path(of: "file.bin"))
        for policy in Demo.policies {
            let inbox = path(of: "received-" + policy.name)
            removeFiles(inbox)
            rmdir(inbox)
        }
    }

    /// Removes the file, and its parts if it was incomplete.
    private func removeFiles(_ folder: String) {
        guard let listing = opendir(folder) else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let isOurs =
                name == "file.bin" || name.hasPrefix(".pathwise-") && name.hasSuffix(".part")
            if isOurs { unlink(folder + "/" + name) }
        }
    }

    /// Removes everything if the directory is temporary.
    func removeIfTemporary() {
        guard isTemporary else { return }
        for policy in Demo.policies {
            for suffix in ["", "-wal", "-shm"] { unlink(path(of: policy.name + ".trace" + suffix)) }
        }
        unlink(path(of: "model.safetensors"))
        rmdir(root)
    }
}
