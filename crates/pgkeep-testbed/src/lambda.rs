//! The Lambda Runtime API, as Lambda serves it to a function's program
//! (AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes").

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A function's program that waits for events.
#[derive(Debug)]
pub struct Lambda {
    child: Child,
    events: Sender<(String, SystemTime)>,
    answers: Receiver<LambdaAnswer>,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LambdaAnswer {
    /// To `…/response`.
    Response(String),
    /// To `…/error`, of an invocation or of the start.
    Error(String),
}

impl Lambda {
    /// Starts a program as Lambda does: with the API's address in its environment, and without words.
    #[must_use]
    pub fn start(program: &mut Command) -> Lambda {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (events, waiting) = channel();
        let (answered, answers) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (waiting, answered) = (waiting.clone(), answered.clone());
                std::thread::spawn(move || serve(stream, &waiting, &answered));
            }
        });
        program.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        program.env("AWS_LAMBDA_FUNCTION_NAME", "function").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512");
        program.env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST").env("AWS_LAMBDA_LOG_GROUP_NAME", "group");
        program.env("AWS_LAMBDA_LOG_STREAM_NAME", "stream");
        Lambda { child: program.spawn().expect("the function's program runs"), events, answers }
    }

    /// Sends an event with so much time for it, and waits for the answer.
    pub fn invoke(&self, event: &str, time: Duration) -> LambdaAnswer {
        self.events.send((event.to_owned(), SystemTime::now() + time)).expect("the API runs");
        self.answers.recv_timeout(time + Duration::from_secs(60)).expect("an answer")
    }

    /// The program's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, as Lambda does with a container that is not needed any more.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.child.wait().expect("its end")
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lambda's own API, as far as invoking goes (Lambda API reference, "Invoke"): each invocation runs in a container of its own.
#[derive(Debug)]
pub struct LambdaService {
    /// Such as `http://127.0.0.1:4566`, for `AWS_ENDPOINT_URL_LAMBDA`.
    pub endpoint: String,
    most: Arc<AtomicUsize>,
}

impl LambdaService {
    /// Starts one, whose function is this program with so much time for each invocation.
    #[must_use]
    pub fn start(program: impl Fn() -> Command + Send + Sync + 'static, time: Duration) -> LambdaService {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let (program, running) = (Arc::new(program), Arc::new(AtomicUsize::new(0)));
        let most = Arc::new(AtomicUsize::new(0));
        let at_most = Arc::clone(&most);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (program, running, most) = (program.clone(), running.clone(), Arc::clone(&at_most));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                    let Some((path, event)) = request(&mut reader) else { return };
                    assert_eq!(path, "/2015-03-31/functions/function/invocations");
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let answer = Lambda::start(&mut program()).invoke(&event, time);
                    running.fetch_sub(1, Ordering::SeqCst);
                    let (header, body) = match answer {
                        LambdaAnswer::Response(body) => ("", body),
                        LambdaAnswer::Error(body) => ("X-Amz-Function-Error: Unhandled\r\n", body),
                    };
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{header}Connection: close\r\n\r\n"
                    );
                    let _ = (&stream).write_all(&[head, body].concat().into_bytes());
                });
            }
        });
        LambdaService { endpoint, most }
    }

    /// The most invocations that ran at one time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

type Events = Mutex<Receiver<(String, SystemTime)>>;

fn serve(stream: TcpStream, events: &Events, answered: &Sender<LambdaAnswer>) {
    let mut writer = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = request(&mut reader) {
        let reply = if path.ends_with("/invocation/next") {
            let Ok((event, deadline)) = events.lock().expect("no poison").recv() else { return };
            let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                 Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:function\r\n\
                 Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\r\n{event}",
                event.len()
            )
        } else {
            let answer = if path.ends_with("/response") {
                LambdaAnswer::Response(body)
            } else {
                LambdaAnswer::Error(body)
            };
            let _ = answered.send(answer);
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                .to_owned()
        };
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request's path and body; nothing at the connection's end.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line()?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim().split(';').next()?, 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some((path, String::from_utf8_lossy(&body).into_owned()))
}
