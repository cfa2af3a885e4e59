internal import Glibc

/// The sorted names in a folder, in one buffer, because a folder may hold a million.
struct FolderListing {
    private var bytes: [UInt8] = []
    private var starts: [UInt32] = []
    private var next = 0

    /// - Throws: `FileError` when the folder cannot be read.
    init(_ path: [UInt8]) throws(FileError) {
        guard let folder = withPath(path, { opendir($0) }) else {
            throw FileError(.list, shown(path))
        }
        defer { closedir(folder) }
        while true {
            errno = 0
            guard let entry = readdir(folder) else { break }
            let start = bytes.count
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: UInt8.self, capacity: 256) { characters in
                    var length = 0
                    while length < 256, characters[length] != 0 { length += 1 }
                    bytes.append(
                        contentsOf: UnsafeBufferPointer(start: characters, count: length))
                }
            }
            let isItself = bytes[start...] == [0x2e] || bytes[start...] == [0x2e, 0x2e]
            guard !isItself, bytes.count < Int(UInt32.max) else {
                bytes.removeSubrange(start...)
                continue
            }
            bytes.append(0)
            starts.append(UInt32(start))
        }
        guard errno == 0 else { throw FileError(.list, shown(path)) }
        let all = bytes
        starts.sort { left, right in
            FolderListing.name(at: left, in: all)
                .lexicographicallyPrecedes(FolderListing.name(at: right, in: all))
        }
    }

    /// The next name; nil after the last.
    mutating func popFirst() -> [UInt8]? {
        guard next < starts.count else { return nil }
        defer { next += 1 }
        return Array(FolderListing.name(at: starts[next], in: bytes))
    }

    private static func name(at start: UInt32, in bytes: [UInt8]) -> ArraySlice<UInt8> {
        bytes[Int(start)...].prefix { $0 != 0 }
    }
}
