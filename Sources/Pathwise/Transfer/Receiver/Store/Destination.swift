internal import Glibc
internal import Synchronization

/// Where received items are stored.
public enum ReceivePlace: Sendable {
    /// To standard output, one item after the other.
    case standardOutput
    /// At a path: below it if it is a folder; as that file if a client sends a single file; else
    /// below a new folder of that name.
    ///
    /// - Parameter isFolder: whether it is a folder, which is created if missing.
    case path([UInt8], isFolder: Bool)
}

/// Finds the place of each item.
final class Destination: Sendable {
    /// A name in an open folder.
    struct Spot: Sendable {
        var folder: Folder
        var name: [UInt8]
        /// Whether the user named this file, so that it takes one item at a time.
        var isSingle: Bool
    }

    private struct State {
        var tree: FolderTree?
        /// Folders in which the tree's root was created.
        var changed: [Folder] = []
    }

    private let path: [UInt8]
    private let isFolder: Bool
    private let state = Mutex(State())

    init(path: [UInt8], isFolder: Bool) {
        self.path = path
        self.isFolder = isFolder
    }

    /// The place of an item; creates the folders that lead to it.
    ///
    /// - Throws: `FileError` if it cannot be created, `TransferError` if it must not be.
    func spot(for header: TransferHeader) throws -> Spot {
        guard let components = header.name.components, let last = components.last else {
            throw TransferError.malformed("the name '\(header.name)', which leads elsewhere")
        }
        guard let tree = try tree(for: header) else { return try single() }
        let folder = try tree.folder(components.dropLast())
        return Spot(folder: folder, name: last, isSingle: false)
    }

    /// The folder of a directory item, created if missing, and whether this receiver created it for
    /// the item or for its contents.
    func folder(for header: TransferHeader) throws -> (folder: Folder, isNew: Bool) {
        guard let components = header.name.components else {
            throw TransferError.malformed("the name '\(header.name)', which leads elsewhere")
        }
        guard let tree = try tree(for: header) else {
            throw TransferError.malformed("a folder without a place")
        }
        let folder = try tree.folder(components[...])
        // Its permissions and time, and its entry in the parent folder, change.
        tree.noteChanged(folder)
        return (folder, tree.takeNew(components[...]))
    }

    /// The folders in which new ones were created since the last call.
    func takeChanged() -> [Folder] {
        state.withLock { state in
            let changed = state.changed
            state.changed = []
            return changed + (state.tree?.takeChanged() ?? [])
        }
    }

    /// The tree of the item; nil if the item becomes the file at the path.
    private func tree(for header: TransferHeader) throws -> FolderTree? {
        let needsFolder = isFolder || header.isOneOfSeveral || header.kind == .directory
        return try state.withLock { state in
            if state.tree == nil { state.tree = try makeTree(needsFolder, &state.changed) }
            return state.tree
        }
    }

    private func makeTree(
        _ needsFolder: Bool, _ changed: inout [Folder]
    ) throws -> FolderTree? {
        var information = stat()
        let exists = withPath(path) { stat($0, &information) } == 0
        if exists, information.st_mode & S_IFMT != S_IFDIR {
            guard !needsFolder else {
                throw TransferError.forbidden(
                    .cannotCreate,
                    "several items or a folder were sent, and \(shown(path)) is a file; "
                        + "receive into a folder")
            }
            return nil
        }
        if !exists {
            guard needsFolder else { return nil }
            let (parent, name) = split()
            let above = try Folder(at: parent)
            try above.makeChild(name)
            changed.append(above)
        }
        return FolderTree(root: try Folder(at: path))
    }

    private func single() throws -> Spot {
        let (parent, name) = split()
        return Spot(folder: try Folder(at: parent), name: name, isSingle: true)
    }

    /// The parent folder of the path, and the name in it.
    private func split() -> (parent: [UInt8], name: [UInt8]) {
        var trimmed = path
        while trimmed.count > 1, trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: UInt8(ascii: "/")) else {
            return ([UInt8(ascii: ".")], trimmed)
        }
        let parent = slash == 0 ? [UInt8(ascii: "/")] : Array(trimmed[..<slash])
        return (parent, Array(trimmed[(slash + 1)...]))
    }
}
