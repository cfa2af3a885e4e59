internal import Glibc
internal import Synchronization

/// Where received items are put.
public enum ReceivePlace: Sendable {
    /// To standard output, one item after the other.
    case standardOutput
    /// At a path: below it if it is a folder; as that file if a client sends a single file; else
    /// below a folder of that name, which is made.
    ///
    /// - Parameter isFolder: it is a folder, and is made if it is not there.
    case path([UInt8], isFolder: Bool)
}

/// Finds the place of each item.
final class Destination: Sendable {
    /// A name in an open folder.
    struct Spot: Sendable {
        var folder: Folder
        var name: [UInt8]
        /// The user named this file: one item at a time.
        var isSingle: Bool
    }

    private struct State {
        var tree: FolderTree?
        /// Folders in which the tree's root was made.
        var changed: [Folder] = []
    }

    private let path: [UInt8]
    private let isFolder: Bool
    private let state = Mutex(State())

    init(path: [UInt8], isFolder: Bool) {
        self.path = path
        self.isFolder = isFolder
    }

    /// The place of an item, with the folders that lead to it.
    ///
    /// - Throws: `FileError` when it cannot be made, `TransferError` when it must not be.
    func spot(for header: TransferHeader) throws -> Spot {
        guard let components = header.name.components, let last = components.last else {
            throw TransferError.malformed("the name '\(header.name)', which leads elsewhere")
        }
        guard let tree = try tree(for: header) else { return try single() }
        let folder = try tree.folder(components.dropLast())
        return Spot(folder: folder, name: last, isSingle: false)
    }

    /// The folder that a directory item names, made if it is not there, and whether this receiver
    /// made it for the item or for what is in it.
    func folder(for header: TransferHeader) throws -> (folder: Folder, isNew: Bool) {
        guard let components = header.name.components else {
            throw TransferError.malformed("the name '\(header.name)', which leads elsewhere")
        }
        guard let tree = try tree(for: header) else {
            throw TransferError.malformed("a folder without a place")
        }
        let folder = try tree.folder(components[...])
        // Its own permissions and time, and its name in the folder above.
        tree.noteChanged(folder)
        return (folder, tree.takeNew(components[...]))
    }

    /// The folders in which new ones were made since the last call.
    func takeChanged() -> [Folder] {
        state.withLock { state in
            let changed = state.changed
            state.changed = []
            return changed + (state.tree?.takeChanged() ?? [])
        }
    }

    /// The tree that the item goes to; nil when it is to be the file at the path.
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

    /// The folder that holds the path, and the name in it.
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
