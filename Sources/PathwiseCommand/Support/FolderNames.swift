import Glibc

/// What is in a folder.
enum FolderNames {
    /// The names in a folder, in no order, without those that begin with a dot; at most 100,000, and
    /// none if it cannot be read.
    static func all(in folder: String) -> [String] {
        guard let open = opendir(folder) else { return [] }
        defer { closedir(open) }
        var names: [String] = []
        while names.count < 100_000, let entry = readdir(open) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
