internal import Synchronization

/// The folders below the one that the user named, opened when items need them.
///
/// *Any thread.* Keeps a limited number of them open.
final class FolderTree: Sendable {
    /// Folders that are kept open.
    private static let keptOpen = 64
    /// New folders that are remembered until they arrive as items, after their contents.
    ///
    /// A sender has one open for each item under way, and their parents.
    private static let mostNew = 4096

    private struct State {
        var open: [[UInt8]: Folder] = [:]
        /// Folders in which a new one was created since `takeChanged`.
        var changed: [Folder] = []
        /// New folders that have not arrived as items yet.
        var new: Set<[UInt8]> = []
    }

    let root: Folder
    private let state = Mutex(State())

    init(root: Folder) { self.root = root }

    /// The folder at a path below the root, created if missing.
    ///
    /// - Throws: `FileError` if a link or a file has its name, or it cannot be created.
    func folder(_ components: ArraySlice<[UInt8]>) throws(FileError) -> Folder {
        if components.isEmpty { return root }
        return try state.withLock { (state) throws(FileError) -> Folder in
            var folder = root
            var key: [UInt8] = []
            for component in components {
                FolderTree.extend(&key, by: component)
                if let known = state.open[key], !known.isRemoved {
                    folder = known
                    continue
                }
                let next: Folder
                if let child = try folder.child(component) {
                    next = child
                } else {
                    if try folder.makeChild(component) {
                        if state.new.count >= FolderTree.mostNew { state.new.removeAll() }
                        state.new.insert(key)
                    }
                    state.changed.append(folder)
                    guard let made = try folder.child(component) else {
                        throw FileError(.open, folder.shownPath(of: component), code: 2)
                    }
                    next = made
                }
                if state.open.count >= FolderTree.keptOpen { state.open.removeAll() }
                state.open[key] = next
                folder = next
            }
            return folder
        }
    }

    /// The folders in which new ones were created.
    ///
    /// They have to be on the disk before items in the new ones count as stored.
    func takeChanged() -> [Folder] {
        state.withLock { state in
            let changed = state.changed
            state.changed = []
            return changed
        }
    }

    /// Whether the folder at a path was created since the last call.
    func takeNew(_ components: ArraySlice<[UInt8]>) -> Bool {
        var key: [UInt8] = []
        for component in components { FolderTree.extend(&key, by: component) }
        return state.withLock { $0.new.remove(key) != nil }
    }

    private static func extend(_ key: inout [UInt8], by component: [UInt8]) {
        key += component
        key.append(UInt8(ascii: "/"))
    }

    /// Adds a folder to the next `takeChanged`.
    func noteChanged(_ folder: Folder) { state.withLock { $0.changed.append(folder) } }
}
