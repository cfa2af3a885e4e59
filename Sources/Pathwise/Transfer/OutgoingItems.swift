internal import Glibc

/// One thing to send: a file, a directory of its own, or standard input.
public struct OutgoingItem: Hashable, Sendable {
    /// Where it is; `-` is standard input.
    public var source: String
    /// The path told to the receiver, relative, with slashes.
    public var name: String
    /// Bytes; nil when it is not known before.
    public var size: UInt64?
    public var isDirectory: Bool
    public var mode: UInt16
}

/// Finds what there is to send under one argument.
public enum OutgoingItems {
    /// A file is one item, a directory all regular files and directories in it (links are followed
    /// for the argument itself only), `-` is standard input.
    ///
    /// - Throws: `FileError` when the argument or something in it cannot be read.
    public static func list(_ input: String) throws(FileError) -> [OutgoingItem] {
        if input == "-" {
            return [
                OutgoingItem(source: "-", name: "stdin", size: nil, isDirectory: false, mode: 0o644)
            ]
        }
        var information = stat()
        guard stat(input, &information) == 0 else { throw FileError(.open, input) }
        let name = lastComponent(input)
        guard information.st_mode & S_IFMT == S_IFDIR else {
            let isRegular = information.st_mode & S_IFMT == S_IFREG
            guard access(input, R_OK) == 0 else { throw FileError(.open, input) }
            return [
                OutgoingItem(
                    source: input, name: name,
                    size: isRegular ? UInt64(max(0, information.st_size)) : nil,
                    isDirectory: false, mode: UInt16(information.st_mode & 0o777))
            ]
        }
        var items: [OutgoingItem] = []
        try walk(input, name, UInt16(information.st_mode & 0o777), &items)
        return items
    }

    private static func walk(
        _ path: String, _ name: String, _ mode: UInt16, _ items: inout [OutgoingItem]
    ) throws(FileError) {
        items.append(
            OutgoingItem(source: path, name: name, size: 0, isDirectory: true, mode: mode))
        guard let directory = opendir(path) else { throw FileError(.list, path) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let child = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if child != ".", child != ".." { names.append(child) }
        }
        closedir(directory)
        for child in names.sorted() {
            let source = path + "/" + child
            var information = stat()
            guard lstat(source, &information) == 0 else { throw FileError(.open, source) }
            let childMode = UInt16(information.st_mode & 0o777)
            switch information.st_mode & S_IFMT {
            case S_IFDIR: try walk(source, name + "/" + child, childMode, &items)
            case S_IFREG:
                items.append(
                    OutgoingItem(
                        source: source, name: name + "/" + child,
                        size: UInt64(max(0, information.st_size)), isDirectory: false,
                        mode: childMode))
            default: break
            }
        }
    }

    /// `.` and `..` have no name of their own: the absolute path gives one.
    private static func lastComponent(_ path: String) -> String {
        var text = path
        if let absolute = realpath(path, nil) {
            text = String(cString: absolute)
            free(absolute)
        }
        let last = text.split(separator: "/").last.map(String.init) ?? "root"
        return last
    }
}
