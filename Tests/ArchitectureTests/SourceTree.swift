import Foundation

/// The files of the package, found from the path of this file at compile time.
struct SourceTree {
    struct File {
        /// Relative to the package.
        var path: String
        var source: String
        /// The source with comments and strings blanked, for the rooms only.
        var text: SwiftText
        /// The target whose folder has the file; nil outside Sources.
        var room: String? {
            let parts = path.split(separator: "/")
            return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
        }
    }

    let root: URL

    init() {
        root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// All files of a folder with these endings, in the order of their paths, without build
    /// products and hidden files.
    func files(_ folder: String, endings: Set<String>) throws -> [File] {
        let start = root.appendingPathComponent(folder)
        guard
            let walk = FileManager.default.enumerator(
                at: start, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
        else { return [] }
        var files: [File] = []
        for case let url as URL in walk where endings.contains(url.pathExtension) {
            let path = String(url.path.dropFirst(root.path.count + 1))
            let source = try text(path)
            files.append(
                File(path: path, source: source, text: SwiftText(folder == "Sources" ? source : ""))
            )
        }
        return files.sorted { $0.path < $1.path }
    }
}
