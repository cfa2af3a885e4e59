import Pathwise

// A server on two addresses of this machine, which answers every message.
let (serverKey, clientKey) = (try PrivateKey.generate(), try PrivateKey.generate())
let server = try Server(
    key: serverKey, clients: [clientKey.publicKey], listen: ["127.0.0.1:0", "127.0.0.2:0"])
let serving = Task {
    for await session in server.sessions {
        for await message in session.messages {
            try session.sendMessage(Array("re: ".utf8) + message.bytes, deadline: .seconds(2))
        }
    }
}

// A client that reaches it over one path to each address and sends ten messages.
let options = try ClientOptions(
    key: clientKey, server: serverKey.publicKey, to: server.localAddresses)
let session = try await Session.connect(options)
for number in 1...10 {
    try session.sendMessage(Array("message \(number)".utf8), deadline: .seconds(2))
}
for await answer in session.messages.prefix(10) {
    print(String(decoding: answer.bytes, as: UTF8.self))
}
print("policy \(session.status().policy), paths \(session.status().paths.map(\.name))")
await session.close()
await server.close()
