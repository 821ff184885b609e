use tokio::io::AsyncReadExt as _;

use super::*;

async fn pair() -> (Connections, u64, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let client = TcpStream::connect(address);
    let (client, server) = tokio::join!(client, listener.accept());
    let (client, (server, _)) = (client.expect("loopback"), server.expect("loopback"));
    let connections = Connections::default();
    let (id, _) = connections.add(server);
    (connections, id, client)
}

#[test]
fn datagrams_are_cut_out_of_the_stream_by_their_lengths_however_it_comes() {
    let bytes = b"\0\x02ab\0\0\0\x03cd";
    let expected = [&b"ab"[..], b""];
    assert_eq!(cut([&bytes[..]]), expected);
    assert_eq!(cut(bytes.chunks(1)), expected);
    assert_eq!(cut([&bytes[..], b"e"]), [&b"ab"[..], b"", b"cde"]);
}

#[test]
fn a_length_that_no_datagram_has_ends_the_connection() {
    let mut taken = 0;
    assert_eq!(each(b"\0\x01a\x10\x01", |_| taken += 1), None);
    assert_eq!(taken, 1, "what came before it was meant");
    assert_eq!(each(b"\0\x01a\x10\0", |_| {}), Some(3));
}

#[tokio::test]
async fn each_datagram_of_a_send_goes_with_its_length_before_it() {
    let (connections, id, mut client) = pair().await;
    connections.send(id, b"aabbc", 2);
    let mut received = [0; 11];
    client.read_exact(&mut received).await.expect("loopback");
    assert_eq!(&received, b"\0\x02aa\0\x02bb\0\x01c");
    assert!(!connections.is_full(id));
}

#[tokio::test]
async fn a_connection_that_takes_nothing_is_full_has_a_bound_and_goes_on_whole() {
    let (connections, id, mut client) = pair().await;
    let connection = connections.get(id).expect("it is there");
    let datagram = [7; 1200];
    let mut sent = 0;
    while !connections.is_full(id) {
        connections.send(id, &datagram, 1200);
        sent += 1;
        assert!(sent < 100_000, "the kernel takes it all");
    }
    while connections.dropped.load(Ordering::Relaxed) == 0 {
        connections.send(id, &datagram, 1200);
        sent += 1;
    }
    assert!(connection.waiting().len() <= MAX_WAITING + 2);
    sent -= 1;
    let writes = connection.unblock();
    let reads = async {
        for _ in 0..sent {
            let mut received = [0; 1202];
            client.read_exact(&mut received).await.expect("loopback");
            assert_eq!((&received[..2], received[2]), (&[4, 176][..], 7));
        }
    };
    tokio::select! {
        _ = writes => panic!("it does not end"),
        () = reads => {}
    }
    assert!(!connections.is_full(id));
}

#[tokio::test]
async fn newcomers_make_room_for_newer_ones_and_viewers_stay() {
    let mut newcomers = VecDeque::new();
    let mut tasks = JoinSet::new();
    for n in 0..MAX_NEWCOMERS + 2 {
        let known = Arc::new(AtomicBool::new(n == 0));
        let task = tasks.spawn(std::future::pending::<()>());
        make_room(&mut newcomers, (known, task));
    }
    assert_eq!(newcomers.len(), MAX_NEWCOMERS);
    let aborted = tasks.join_next().await.expect("one is over");
    assert!(aborted.is_err_and(|error| error.is_cancelled()));
    assert_eq!(tasks.len(), MAX_NEWCOMERS + 1);
}
