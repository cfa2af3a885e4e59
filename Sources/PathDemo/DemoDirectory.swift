import Glibc
import PathLearning
import PathWorlds

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
        do {
            root = try TemporaryFolder(named: "demo").path
        } catch {
            throw .file("make a folder in", error.place, error.code)
        }
        isTemporary = true
    }

    func path(of name: String) -> String { root + "/" + name }

    /// Creates the directory for the received file.
    func inbox() throws(DemoError) -> String {
        let path = path(of: "received")
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .file("make", path, errno) }
        return path
    }

    /// Removes the sent file and its received copy.
    func removeTransferred() {
        unlink(path(of: "file.bin"))
        let inbox = path(of: "received")
        removeFiles(inbox)
        rmdir(inbox)
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
    ///
    /// - Parameter traces: the recordings so far.
    func removeIfTemporary(_ traces: [String]) {
        guard isTemporary else { return }
        for trace in traces {
            for suffix in ["", "-wal", "-shm"] { unlink(trace + suffix) }
        }
        unlink(path(of: "model.safetensors"))
        rmdir(root)
    }
}
