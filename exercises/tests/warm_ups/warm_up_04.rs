// Warm-up for lesson 04: a typed second parameter.

use exercises::warm_ups::warm_up_04::router;
use probe::{Because, Check, Server, serve};

probe::steps! {
    step_1_a_client_says_its_id_and_its_floor,
    step_2_each_floor_of_the_building_is_one,
    step_3_no_number_is_rejected_with_400,
    step_4_no_such_floor_is_rejected_with_404,
}

/// Connects, and expects the greeting.
async fn greets(server: &Server, name: &str, id: u32, floor: i8, why: &str) -> Check {
    let path = format!("/warm_up_04/ws/{id}/{floor}");
    let mut client = server.connect(name, &path).await.because(why)?;
    client.hears(format!("You are client {id}, on floor {floor}.")).await.because(why)
}

/// Asks for the upgrade, and expects the status and the sentence.
async fn rejects(
    server: &Server,
    parameters: &str,
    status: u16,
    sentence: &str,
    why: &str,
) -> Check {
    let path = format!("/warm_up_04/ws/{parameters}");
    let response = server.rejects("Eve", &path, status).await.because(why)?;
    if response.body == sentence {
        return Ok(());
    }
    Err(server.hint(format!(
        "{why}\nEve should be rejected with the sentence {sentence:?}, but it was {:?}.",
        response.body
    )))
}

/// The first number is a `u32`, and the second an `i8`: each has its own type.
async fn step_1_a_client_says_its_id_and_its_floor() -> Check {
    let server = serve(router());

    let why = "Ana asks for client id 7 and floor 2. A 404 without a sentence means that no \
               route matches. One `Path` takes all captures of a route, in their order. The \
               id comes first, and is a `ClientId`.";
    greets(&server, "Ana", 7, 2, why).await?;
    let why = "Ben asks for client id 70000 and floor 3. A `ClientId` is a `u32`.";
    greets(&server, "Ben", 70_000, 3, why).await
}

/// A range of floors has two ends, and both belong to it.
async fn step_2_each_floor_of_the_building_is_one() -> Check {
    let server = serve(router());

    for floor in -1..=5 {
        let why = format!("Ana asks for floor {floor}. The floors are -1 to 5.");
        greets(&server, "Ana", 7, floor, &why).await?;
    }
    Ok(())
}

/// axum's own sentence is for a programmer. Yours is for whoever has typed the address.
async fn step_3_no_number_is_rejected_with_400() -> Check {
    let server = serve(router());

    for (parameters, mistake) in [
        ("7/up", "The floor `up` is no number."),
        ("7/1.5", "The floor `1.5` is no whole number."),
        ("ana/2", "The client id `ana` is no number."),
        ("7/258", "The floor 258 does not fit into an `i8`."),
        ("7/300", "The floor 300 does not fit into an `i8`."),
        ("-7/2", "The client id -7 is less than 0, so it is no `u32`."),
        ("4294967296/2", "The client id 4294967296 does not fit into a `u32`."),
    ] {
        let sentence =
            "An id and a floor are whole numbers that fit, as in /warm_up_04/ws/7/2.";
        rejects(&server, parameters, 400, sentence, mistake).await?;
    }
    Ok(())
}

/// The path is well formed, and yet there is nothing at it. That is what 404 says.
async fn step_4_no_such_floor_is_rejected_with_404() -> Check {
    let server = serve(router());

    for floor in [9, 6, -2] {
        let sentence = format!("There is no floor {floor}. The floors are -1 to 5.");
        let why = format!("Eve asks for floor {floor}, and the building has -1 to 5.");
        rejects(&server, &format!("7/{floor}"), 404, &sentence, &why).await?;
    }
    Ok(())
}
