import Pathwise

// A server on two addresses of this machine, which answers every message of every client.
let (serverKey, clientKey) = (try PrivateKey.generate(), try PrivateKey.generate())
let server = try Server(
    key: serverKey, clients: [clientKey.publicKey], listen: ["127.0.0.1:0", "127.0.0.2:0"])
Task {
    for await client in server.sessions {
        Task {
            for await message in client.messages {
                try client.sendMessage(Array("re: ".utf8) + message.bytes, deadline: .seconds(2))
            }
        }
    }
}
// A client that reaches it over one path to each address and sends ten messages.
let session = try await Session.connect(
    ClientOptions(key: clientKey, server: serverKey.publicKey, to: server.localAddresses))
while session.status().paths.contains(where: { $0.snapshot.state != .active }) {
    try await Task.sleep(for: .milliseconds(5))
}
for number in 1...10 {
    try session.sendMessage(Array("message \(number)".utf8), deadline: .seconds(2))
}
for await answer in session.messages.prefix(10) {
    print(String(decoding: answer.bytes, as: UTF8.self))
}
print("policy \(session.status().policy), paths \(session.status().paths.map(\.name))")
await session.close()
await server.close()
